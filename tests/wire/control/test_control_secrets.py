"""What no SDK's user sees of secrets."""

from __future__ import annotations

import httpx
import pytest

from tests.helpers.memory import World


@pytest.mark.parametrize("state", ["banned", "blocked"])
async def test_banned_and_blocked_teams_are_told_the_same(
    world: World, client: httpx.AsyncClient, state: str
) -> None:
    await client.post("/secrets", json={"name": "key", "value": "v"})
    setattr(world.team, state, True)
    world.team.blocked_reason = "unpaid"
    response = await client.post("/secrets", json={"name": "other", "value": "v"})
    assert response.json() == {"code": 403, "message": "Secrets are not available for this team"}
    assert response.headers["cache-control"] == "no-store"
    assert (await client.delete("/secrets/key")).status_code == 403
    assert (await client.get("/secrets")).status_code == (403 if state == "banned" else 200)


async def test_an_encoded_reference_is_trimmed(client: httpx.AsyncClient) -> None:
    made = (await client.post("/secrets", json={"name": "key", "value": "v"})).json()
    for reference in ("%20KEY%20", made["secretID"].upper()):
        assert (await client.get(f"/secrets/{reference}")).json() == made


async def test_unpaired_surrogates_become_what_they_do_in_the_service(
    client: httpx.AsyncClient,
) -> None:
    response = await client.post(
        "/secrets",
        headers={"Content-Type": "application/json"},
        content=b'{"name": "key", "value": "v", "metadata": {"a": "\\ud800"}}',
    )
    assert response.status_code == 201
    assert response.json()["metadata"] == {"a": "\ufffd"}
