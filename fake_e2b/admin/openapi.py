"""`/_fake/openapi.json`: the API's document joined with the admin pages' own paths."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fake_e2b.admin.described import (
    BOOLEAN,
    INSTANT,
    STRING,
    TAG,
    TEXTS,
    WHOLE,
    an_object,
    array,
    ok,
    operation,
    reference,
)
from fake_e2b.admin.openapi_clock import clock_paths, clock_schemas
from fake_e2b.admin.openapi_journal import journal_paths, journal_schemas
from fake_e2b.admin.openapi_sandboxes import sandbox_paths, sandbox_schemas
from fake_e2b.admin.openapi_seed import seed_paths, seed_schemas
from fake_e2b.admin.openapi_steering import steering_paths, steering_schemas
from fake_e2b.admin.openapi_stubs import stub_paths, stub_schemas
from fake_e2b.admin.parts import AdminParts


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
            "schemas": {
                **components.get("schemas", {}),
                **_SCHEMAS,
                **clock_schemas(),
                **steering_schemas(),
                **journal_schemas(),
                **sandbox_schemas(),
                **seed_schemas(),
                **stub_schemas(),
            },
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
        "/_fake/credentials": {
            "get": operation("fakeCredentials", "Keys and tokens", ok("FakeCredentials"))
        },
        "/_fake/reset": {
            "post": operation("fakeReset", "Make all as after the start", ok("FakeReset"))
        },
        **journal_paths(),
        **clock_paths(),
        **steering_paths(),
        "/_fake/login/api/cli": {
            "get": operation(
                "fakeLogin",
                "Log the command line tool in",
                {"302": {"description": "Back to the tool, with a token"}},
                can_refuse=True,
            )
        },
        "/_fake/login/token": {"post": operation("fakeToken", "A fresh token", ok("FakeDocument"))},
        "/_fake/login/revoke": {"post": operation("fakeRevoke", "Log out", ok("FakeDocument"))},
        **sandbox_paths(),
        **seed_paths(),
        **stub_paths(),
        "/_fake/openapi.json": {
            "get": operation("fakeOpenAPI", "This document", ok("FakeDocument"))
        },
    }


_SCHEMAS: dict[str, Any] = {
    "FakeUsageError": an_object(code=WHOLE, message=STRING),
    "FakeHealth": an_object(status=STRING, version=STRING),
    "FakeEnv": TEXTS,
    "FakeReset": an_object(next=WHOLE),
    "FakeDocument": {"type": "object"},
    "FakeCredentials": an_object(
        teamID=STRING,
        apiKey=STRING,
        accessToken=STRING,
        userToken=STRING,
        adminToken=STRING,
        teams=array(an_object(teamID=STRING, name=STRING)),
    ),
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
        startedAt=INSTANT,
        endAt=INSTANT,
        onTimeout=STRING,
        autoResume=BOOLEAN,
        metadata=TEXTS,
    ),
}
