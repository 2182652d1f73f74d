"""`/_fake/openapi.json`: the API's document joined with the admin pages' own paths."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fake_e2b.admin.clock import FARTHEST_S
from fake_e2b.admin.journal import FILTERS
from fake_e2b.admin.parts import AdminParts
from fake_e2b.admin.query import LARGEST

_TAG = "fake"


async def openapi(parts: AdminParts, request: Request) -> Response:
    """The document of everything that answers on this port with JSON."""
    return JSONResponse(joined(parts.openapi()))


def joined(document: dict[str, Any]) -> dict[str, Any]:
    """`document` with the admin pages added; the argument stays as it was."""
    components = document.get("components", {})
    return {
        **document,
        "tags": [*document.get("tags", []), {"name": _TAG, "description": "The fake's own pages"}],
        "paths": {**document.get("paths", {}), **admin_paths()},
        "components": {
            **components,
            "schemas": {**components.get("schemas", {}), **_SCHEMAS},
        },
    }


def admin_paths() -> dict[str, Any]:
    """The admin pages as OpenAPI paths."""
    return {
        "/_fake/": {
            "get": _operation(
                "fakeIndex",
                "A page for people",
                {"200": {"description": "HTML", "content": {"text/html": {"schema": _STRING}}}},
            )
        },
        "/_fake/health": {"get": _operation("fakeHealth", "That it answers", _ok("FakeHealth"))},
        "/_fake/state": {"get": _operation("fakeState", "What exists", _ok("FakeState"))},
        "/_fake/env": {
            "get": _operation("fakeEnv", "Variables that a client needs", _ok("FakeEnv"))
        },
        "/_fake/reset": {
            "post": _operation("fakeReset", "Make all as after the start", _ok("FakeReset"))
        },
        "/_fake/journal": {
            "get": {
                **_operation("fakeJournal", "What was asked", _ok("FakeJournal"), can_refuse=True),
                "parameters": [
                    {
                        "name": name,
                        "in": "query",
                        "description": text,
                        "schema": _FILTER_SCHEMAS.get(name, _STRING),
                    }
                    for name, text in FILTERS.items()
                ],
            }
        },
        "/_fake/clock": {
            "get": _operation("fakeClock", "What time it is for the fake", _ok("FakeClock"))
        },
        "/_fake/clock/advance": {
            "post": {
                **_operation(
                    "fakeAdvance", "Move a manual clock", _ok("FakeAdvanced"), can_refuse=True
                ),
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": _reference("FakeAdvance")}},
                },
            }
        },
        "/_fake/openapi.json": {
            "get": _operation("fakeOpenAPI", "This document", _ok("FakeDocument"))
        },
    }


def _operation(
    name: str, summary: str, responses: dict[str, Any], *, can_refuse: bool = False
) -> dict[str, Any]:
    if can_refuse:
        refusal = {"application/json": {"schema": _reference("FakeUsageError")}}
        responses = {**responses, "400": {"description": "Wrong input", "content": refusal}}
    # Whoever reaches the port may use these pages; the API's document asks for a key by default.
    return {
        "operationId": name,
        "summary": summary,
        "tags": [_TAG],
        "security": [],
        "responses": responses,
    }


def _ok(schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": _reference(schema)}}
    return {"200": {"description": "OK", "content": content}}


def _reference(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_STRING = {"type": "string"}
_WHOLE = {"type": "integer", "minimum": 0}
_NUMBER = {**_WHOLE, "maximum": LARGEST}
_INSTANT = {"type": "string", "format": "date-time"}
_BOOLEAN = {"type": "boolean"}
_TEXTS = {"type": "object", "additionalProperties": _STRING}
_FILTER_SCHEMAS: dict[str, dict[str, Any]] = {
    "since": _NUMBER,
    "until": _NUMBER,
    "status": _NUMBER,
    "last": _NUMBER,
    "kind": {"type": "string", "enum": ["request", "state"]},
}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


_CLOCK = {
    "mode": {"type": "string", "enum": ["manual", "real"]},
    "now": _INSTANT,
    "nextDeadline": _or_null(_INSTANT),
}
_SCHEMAS: dict[str, Any] = {
    "FakeUsageError": _object(code=_WHOLE, message=_STRING),
    "FakeHealth": _object(status=_STRING, version=_STRING),
    "FakeEnv": _TEXTS,
    "FakeReset": _object(next=_WHOLE),
    "FakeDocument": {"type": "object"},
    "FakeClock": _object(**_CLOCK),
    "FakeAdvance": {
        **_object(seconds={"type": "number", "minimum": 0, "maximum": FARTHEST_S}),
        "additionalProperties": False,
    },
    "FakeAdvanced": _object(**_CLOCK, happened=_array({})),
    "FakeState": _object(
        version=_STRING,
        seed=_WHOLE,
        runtime=_object(name=_STRING, capabilities=_array(_STRING)),
        clock=_reference("FakeClock"),
        sandboxes=_array(_reference("FakeSandbox")),
        journal=_object(next=_WHOLE, oldest=_WHOLE, capacity=_WHOLE),
    ),
    "FakeSandbox": _object(
        sandboxID=_STRING,
        templateID=_STRING,
        alias=_STRING,
        teamID=_STRING,
        state=_STRING,
        startedAt=_INSTANT,
        endAt=_INSTANT,
        onTimeout=_STRING,
        autoResume=_BOOLEAN,
        metadata=_TEXTS,
    ),
    "FakeJournal": _object(records=_array(_reference("FakeRecord")), oldest=_WHOLE, next=_WHOLE),
    "FakeRecord": _object(
        sequence=_WHOLE,
        at=_INSTANT,
        realAt=_INSTANT,
        kind=_FILTER_SCHEMAS["kind"],
        operation=_STRING,
        method=_STRING,
        path=_STRING,
        sandboxID=_or_null(_STRING),
        status=_or_null(_WHOLE),
        durationMs=_or_null({"type": "number"}),
        client=_STRING,
        headers=_array(_array(_STRING)),
        body=_STRING,
        received=_WHOLE,
        sent=_WHOLE,
        answer=_STRING,
        traceback=_or_null(_STRING),
    ),
}
