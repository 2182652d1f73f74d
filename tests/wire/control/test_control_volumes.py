"""What no SDK's user sees of volumes: a machine that fails, and requests that meet."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.helpers.memory import World

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def seen(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["message"]


async def test_what_the_machine_refuses_leaves_nothing(
    world: World, client: httpx.AsyncClient
) -> None:
    world.runtime.failures["create volume"] = OSError(28, "No space left on device")
    response = await client.post("/volumes", json={"name": "data"})
    assert seen(response) == (500, "Error when creating directory")
    assert (await client.get("/volumes")).json() == []
    del world.runtime.failures["create volume"]
    assert (await client.post("/volumes", json={"name": "data"})).status_code == 201


async def test_a_name_is_taken_from_the_first_request_on(
    world: World, client: httpx.AsyncClient
) -> None:
    gate = world.runtime.gate("create volume")
    first = asyncio.create_task(client.post("/volumes", json={"name": "data"}))
    await gate.reached.wait()
    second = await client.post("/volumes", json={"name": "data"})
    assert seen(second) == (400, "Volume with name 'data' already exists")
    assert (await client.get("/volumes")).json() == []  # not before it is there
    gate.open()
    assert (await first).status_code == 201


async def test_a_volume_that_a_reset_overtakes_is_no_volume(
    world: World, client: httpx.AsyncClient
) -> None:
    gate = world.runtime.gate("create volume")
    making = asyncio.create_task(client.post("/volumes", json={"name": "data"}))
    await gate.reached.wait()
    await world.backend.reset()
    gate.open()
    assert (await making).status_code == 500
    assert world.runtime.volumes == set()
    assert (await client.get("/volumes")).json() == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, 'Error at "/name": property "name" is missing'),
        ({"name": 1}, 'Error at "/name": value must be a string'),
        ({"name": None}, 'Error at "/name": Value is not nullable'),
    ],
)
async def test_bodies_that_do_not_fit(
    client: httpx.AsyncClient, body: dict[str, Any], reason: str
) -> None:
    response = await client.post("/volumes", json=body)
    assert seen(response) == (
        400,
        "validation error: error in openapi3filter.RequestError: request body has an error: "
        f"doesn't match schema #/components/schemas/NewVolume: {reason}",
    )


async def test_a_blocked_team_may_read_and_delete(world: World, client: httpx.AsyncClient) -> None:
    made = (await client.post("/volumes", json={"name": "data"})).json()
    world.team.blocked = True
    assert (await client.post("/volumes", json={"name": "b"})).status_code == 403
    assert (await client.get(f"/volumes/{made['volumeID']}")).json()["name"] == "data"
    assert (await client.delete(f"/volumes/{made['volumeID']}")).status_code == 204
    assert seen(await client.get(f"/volumes/{UNKNOWN}")) == (404, "Volume not found")
