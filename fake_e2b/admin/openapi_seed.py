"""How OpenAPI describes `/_fake/seed`."""

from __future__ import annotations

from typing import Any

from fake_e2b.admin.described import (
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
from fake_e2b.domain.forms import camel, schema
from fake_e2b.domain.seed.forms import (
    NOT_EXPORTED,
    SECTIONS,
    FileForm,
    KeyForm,
    TokenForm,
)
from fake_e2b.domain.seed.reading import TOKENS


def seed_paths() -> dict[str, Any]:
    """The paths."""
    show = operation("fakeExport", "What is in the fake, as a seed", ok("FakeSeed"))
    flag = {"type": "boolean", "default": False}
    show["parameters"] = [
        {"name": "files", "in": "query", "schema": flag, "description": "files of sandboxes too"},
        {"name": "secrets", "in": "query", "schema": flag, "description": "values of secrets too"},
    ]
    show["responses"]["400"] = answer("FakeUsageError", "Wrong input")
    fill = operation(
        "fakeFill",
        "Make what a seed names and is not there, all of it or nothing",
        {
            "200": answer("FakeFilled", "All of it was there already"),
            "201": answer("FakeFilled", "Something was made"),
            "400": answer("FakeSeedRefusal", "A table is wrong"),
            "409": answer("FakeSeedConflict", "Something is there and differs"),
            "422": answer("FakeSeedRefusal", "Something could not be made"),
        },
        body="FakeSeed",
    )
    return {"/_fake/seed": {"get": show, "post": fill}}


def seed_schemas() -> dict[str, Any]:
    """The schemas."""
    section = {name: f"FakeSeed{name.capitalize()}" for name in SECTIONS}
    item = an_object(kind=STRING, name=STRING, team=or_null(STRING), id=or_null(STRING))
    token = {"anyOf": [STRING, schema(TokenForm)]}
    left = {"type": "object", "additionalProperties": STRING}
    tables = {name: _with_parts(schema(form)) for name, form in SECTIONS.items()}
    return {
        "FakeSeed": {
            "type": "object",
            "properties": {
                **{name: array(reference(called)) for name, called in section.items()},
                camel(TOKENS): array(token),
                camel(NOT_EXPORTED): array(left),
            },
            "additionalProperties": False,
        },
        **{called: tables[name] for name, called in section.items()},
        "FakeSeedFile": {"anyOf": [STRING, schema(FileForm)]},
        "FakeSeedItem": item,
        "FakeFilled": an_object(
            made=array(reference("FakeSeedItem")), unchanged=array(reference("FakeSeedItem"))
        ),
        "FakeSeedRefusal": an_object(
            code=WHOLE, message=STRING, section=or_null(STRING), index=WHOLE
        ),
        "FakeSeedConflict": an_object(code=WHOLE, message=STRING, conflicts=array(STRING)),
    }


def _with_parts(described: dict[str, Any]) -> dict[str, Any]:
    """A table's schema, with that of its files and keys."""
    properties = dict(described["properties"])
    if "files" in properties:
        properties["files"] = {
            **properties["files"],
            "additionalProperties": reference("FakeSeedFile"),
        }
    if "apiKeys" in properties:
        key = {"anyOf": [STRING, schema(KeyForm)]}
        properties["apiKeys"] = {**properties["apiKeys"], "items": key}
    return {**described, "properties": properties}
