"""`/_fake/openapi.json`: the API's document joined with the admin pages' own paths."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fake_e2b.admin.clock import FARTHEST_S
from fake_e2b.admin.described import (
    BOOLEAN,
    STRING,
    TAG,
    WHOLE,
    an_object,
    array,
    ok,
    operation,
    or_null,
    reference,
)
from fake_e2b.admin.journal import FILTERS
from fake_e2b.admin.openapi_steering import steering_paths, steering_schemas
from fake_e2b.admin.parts import AdminParts
from fake_e2b.admin.query import LARGEST


async def openapi(parts: AdminParts, request: Request) -> Response:
    """The document of everything that answers on this port with JSON."""
    return JSONResponse(joined(parts.openapi()))


def joined(document: dict[str, Any]) -> dict[str, Any]:
    """`document` with the admin pages added; the argument stays as it was."""
    components = document.get("components", {})
    return {
        **document,
        "tags": [*document.get("tags", []), {"name": TAG, "description": "The fake's own pages"}],
        "paths": {**document.get("paths", {}), **admin_paths()},
        "components": {
            **components,
            "schemas": {**components.get("schemas", {}), **_SCHEMAS, **steering_schemas()},
        },
    }


def admin_paths() -> dict[str, Any]:
    """The admin pages as OpenAPI paths."""
    return {
        "/_fake/": {
            "get": operation(
                "fakeIndex",
                "A page for people",
                {"200": {"description": "HTML", "content": {"text/html": {"schema": STRING}}}},
            )
        },
        "/_fake/health": {"get": operation("fakeHealth", "That it answers", ok("FakeHealth"))},
        "/_fake/state": {"get": operation("fakeState", "What exists", ok("FakeState"))},
        "/_fake/env": {"get": operation("fakeEnv", "Variables that a client needs", ok("FakeEnv"))},
        "/_fake/reset": {
            "post": operation("fakeReset", "Make all as after the start", ok("FakeReset"))
        },
        "/_fake/journal": {
            "get": {
                **operation("fakeJournal", "What was asked", ok("FakeJournal"), can_refuse=True),
                "parameters": [
                    {
                        "name": name,
                        "in": "query",
                        "description": text,
                        "schema": _FILTER_SCHEMAS.get(name, STRING),
                    }
                    for name, text in FILTERS.items()
                ],
            }
        },
        "/_fake/clock": {
            "get": operation("fakeClock", "What time it is for the fake", ok("FakeClock"))
        },
        "/_fake/clock/advance": {
            "post": {
                **operation(
                    "fakeAdvance", "Move a manual clock", ok("FakeAdvanced"), can_refuse=True
                ),
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": reference("FakeAdvance")}},
                },
            }
        },
        **steering_paths(),
        "/_fake/openapi.json": {
            "get": operation("fakeOpenAPI", "This document", ok("FakeDocument"))
        },
    }


_NUMBER = {**WHOLE, "maximum": LARGEST}
_INSTANT = {"type": "string", "format": "date-time"}
_TEXTS = {"type": "object", "additionalProperties": STRING}
_FILTER_SCHEMAS: dict[str, dict[str, Any]] = {
    "since": _NUMBER,
    "until": _NUMBER,
    "status": _NUMBER,
    "last": _NUMBER,
    "kind": {"type": "string", "enum": ["request", "state"]},
}


_CLOCK = {
    "mode": {"type": "string", "enum": ["manual", "real"]},
    "now": _INSTANT,
    "nextDeadline": or_null(_INSTANT),
}
_SCHEMAS: dict[str, Any] = {
    "FakeUsageError": an_object(code=WHOLE, message=STRING),
    "FakeHealth": an_object(status=STRING, version=STRING),
    "FakeEnv": _TEXTS,
    "FakeReset": an_object(next=WHOLE),
    "FakeDocument": {"type": "object"},
    "FakeClock": an_object(**_CLOCK),
    "FakeAdvance": {
        **an_object(seconds={"type": "number", "minimum": 0, "maximum": FARTHEST_S}),
        "additionalProperties": False,
    },
    "FakeAdvanced": an_object(**_CLOCK, happened=array({})),
    "FakeState": an_object(
        version=STRING,
        seed=WHOLE,
        runtime=an_object(name=STRING, capabilities=array(STRING)),
        clock=reference("FakeClock"),
        sandboxes=array(reference("FakeSandbox")),
        journal=an_object(next=WHOLE, oldest=WHOLE, capacity=WHOLE),
    ),
    "FakeSandbox": an_object(
        sandboxID=STRING,
        templateID=STRING,
        alias=STRING,
        teamID=STRING,
        state=STRING,
        startedAt=_INSTANT,
        endAt=_INSTANT,
        onTimeout=STRING,
        autoResume=BOOLEAN,
        metadata=_TEXTS,
    ),
    "FakeJournal": an_object(records=array(reference("FakeRecord")), oldest=WHOLE, next=WHOLE),
    "FakeRecord": an_object(
        sequence=WHOLE,
        at=_INSTANT,
        realAt=_INSTANT,
        kind=_FILTER_SCHEMAS["kind"],
        operation=STRING,
        method=STRING,
        path=STRING,
        sandboxID=or_null(STRING),
        status=or_null(WHOLE),
        durationMs=or_null({"type": "number"}),
        client=STRING,
        headers=array(array(STRING)),
        body=STRING,
        received=WHOLE,
        sent=WHOLE,
        answer=STRING,
        traceback=or_null(STRING),
    ),
}
