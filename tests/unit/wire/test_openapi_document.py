"""The served document and the answers agree."""

from __future__ import annotations

import httpx
from pydantic import BaseModel, ConfigDict, TypeAdapter

from fake_e2b.control_plane.app import ROUTES, control_plane_app
from fake_e2b.domain.control_errors import ControlKind
from fake_e2b.domain.operations import OPERATIONS, Plane
from fake_e2b.wire import rest
from fake_e2b.wire.control_errors import TABLE
from fake_e2b.wire.endpoints import ENDPOINTS
from fake_e2b.wire.openapi import openapi_document
from tests.helpers.memory import KEY, World


def test_every_refusal_has_a_row() -> None:
    assert set(TABLE) == set(ControlKind)


def test_every_documented_operation_has_a_route_and_the_other_way_round() -> None:
    documented = {(each.method, each.path) for each in ENDPOINTS}
    assert documented == {*ROUTES, ("GET", "/health")}


def test_paths_and_gaps_are_the_whole_api() -> None:
    document = openapi_document()
    built = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    }
    gaps = {
        (each["method"], each["path"])
        for name in ("x-fake-e2b-gaps", "x-fake-e2b-volume-content")
        for each in document[name]
    }
    assert built | gaps == {
        (each.method, each.path) for each in OPERATIONS if each.plane is Plane.CONTROL
    }
    assert not built & gaps


def test_operations_have_names_of_their_own() -> None:
    names = [
        operation["operationId"]
        for operations in openapi_document()["paths"].values()
        for operation in operations.values()
    ]
    assert len(names) == len(set(names))


def test_what_has_a_default_may_be_null() -> None:
    properties = openapi_document()["components"]["schemas"]["NewSandboxV2"]["properties"]
    assert properties["timeout"] == {
        "anyOf": [{"format": "int32", "minimum": 0, "type": "integer"}, {"type": "null"}],
        "default": 300,
    }
    assert properties["allow_internet_access"] == {"type": "boolean"}


class _Exact(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def exact(model: type[rest.Shape]) -> type[BaseModel]:
    """The model with everything refused that it doesn't name."""
    return type(model.__name__, (_Exact, model), {"model_config": ConfigDict(extra="forbid")})


async def test_answers_are_what_the_models_say() -> None:
    world = World()
    transport = httpx.ASGITransport(app=control_plane_app(world.backend))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://api.test", headers={"X-API-Key": KEY}
    ) as client:
        body = {
            "templateID": "base",
            "metadata": {"a": "b"},
            "network": {"allowPublicTraffic": False},
        }
        created = (await client.post("/v2/sandboxes", json=body)).json()
        exact(rest.Sandbox).model_validate(created)
        path = f"/sandboxes/{created['sandboxID']}"
        for _ in range(2):
            exact(rest.SandboxDetail).model_validate((await client.get(path)).json())
            listed = (await client.get("/v2/sandboxes")).json()
            TypeAdapter(list[exact(rest.ListedSandbox)]).validate_python(listed)  # type: ignore[misc]
            metrics = (await client.get(f"{path}/metrics")).json()
            TypeAdapter(list[exact(rest.SandboxMetric)]).validate_python(metrics)  # type: ignore[misc]
            logs = (await client.get(f"/v2{path}/logs")).json()
            exact(rest.SandboxLogsV2Response).model_validate(logs)
            exact(rest.SandboxLogs).model_validate((await client.get(f"{path}/logs")).json())
            await client.post(f"{path}/pause")
        many = await client.get(f"/sandboxes/metrics?sandbox_ids={created['sandboxID']}")
        exact(rest.SandboxesWithMetrics).model_validate(many.json())
        exact(rest.Error).model_validate((await client.get("/nowhere")).json())
