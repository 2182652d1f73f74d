"""The words in which the admin pages describe themselves in OpenAPI."""

from __future__ import annotations

from typing import Any

TAG = "fake"
STRING = {"type": "string"}
WHOLE = {"type": "integer", "minimum": 0}
BOOLEAN = {"type": "boolean"}
INSTANT = {"type": "string", "format": "date-time"}
TEXTS = {"type": "object", "additionalProperties": STRING}


def operation(
    name: str,
    summary: str,
    responses: dict[str, Any],
    *,
    can_refuse: bool = False,
    body: str | None = None,
    body_required: bool = True,
    named: bool = False,
) -> dict[str, Any]:
    """One operation.

    Args:
        body: The schema of its body.
        named: Whether `{name}` stands in its path.
    """
    if can_refuse:
        responses = {**responses, "400": answer("FakeUsageError", "Wrong input")}
    # Whoever reaches the port may use these pages; the API's document asks for a key by default.
    described: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "tags": [TAG],
        "security": [],
        "responses": responses,
    }
    if body is not None:
        content = {"application/json": {"schema": reference(body)}}
        described["requestBody"] = {"required": body_required, "content": content}
    if named:
        parameter = {"name": "name", "in": "path", "required": True, "schema": STRING}
        described["parameters"] = [parameter]
    return described


def answer(schema: str, text: str = "OK") -> dict[str, Any]:
    """A JSON answer of a named schema."""
    return {"description": text, "content": {"application/json": {"schema": reference(schema)}}}


def ok(schema: str) -> dict[str, Any]:
    """The answers of what cannot fail."""
    return {"200": answer(schema)}


def reference(schema: str) -> dict[str, str]:
    """A named schema."""
    return {"$ref": f"#/components/schemas/{schema}"}


def an_object(**properties: Any) -> dict[str, Any]:
    """An object with all of these."""
    return {"type": "object", "required": list(properties), "properties": properties}


def array(items: dict[str, Any]) -> dict[str, Any]:
    """A list of these."""
    return {"type": "array", "items": items}


def or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """One of these, or nothing."""
    return {"anyOf": [schema, {"type": "null"}]}
