"""How OpenAPI describes `/_fake/stubs`: from the declared form itself."""

from __future__ import annotations

from typing import Any

from fake_e2b.admin.described import (
    BOOLEAN,
    STRING,
    WHOLE,
    an_object,
    answer,
    array,
    ok,
    operation,
    or_null,
    reference,
)
from fake_e2b.domain.forms import schema
from fake_e2b.domain.stubs.form import StubForm


def stub_paths() -> dict[str, Any]:
    """The paths."""
    return {
        "/_fake/stubs": {
            "get": operation("fakeStubs", "The stubs in force", ok("FakeStubs")),
            "post": operation(
                "fakeAddStub",
                "Answer a program's calls in its place",
                {"201": answer("FakeStub", "In force")},
                body="FakeStubForm",
                can_refuse=True,
            ),
            "delete": operation("fakeResetStubs", "Take all stubs back", ok("FakeStubs")),
        },
        "/_fake/stubs/{name}": {
            "get": operation(
                "fakeStub",
                "One stub and its calls",
                ok("FakeStubWithCalls"),
                can_refuse=True,
                named=True,
            ),
            "delete": operation(
                "fakeRemoveStub",
                "Take a stub back",
                ok("FakeStubWithCalls"),
                can_refuse=True,
                named=True,
            ),
        },
    }


def stub_schemas() -> dict[str, Any]:
    """Their schemas."""
    form = schema(StubForm)
    counts = {"handler": BOOLEAN, "hits": WHOLE, "spent": BOOLEAN}
    properties = {**form["properties"], **counts}
    required = ["name", *counts]
    call = an_object(
        sandboxID=or_null(STRING),
        argv=array(STRING),
        cwd=STRING,
        env={"type": "object", "additionalProperties": STRING},
        stdin=STRING,
        at={"type": "string", "format": "date-time"},
        exitCode=or_null(WHOLE),
    )
    return {
        "FakeStubForm": form,
        "FakeStub": {"type": "object", "properties": properties, "required": required},
        "FakeStubs": an_object(stubs=array(reference("FakeStub"))),
        "FakeStubCall": call,
        "FakeStubWithCalls": {
            "type": "object",
            "properties": {**properties, "calls": array(reference("FakeStubCall"))},
            "required": [*required, "calls"],
        },
    }
