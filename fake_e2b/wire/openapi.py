"""The API's OpenAPI document, written from the models and the table that validate and render.

Paths hold what is built. What guards the content of volumes are their tokens; the service has a
document of its own for these operations, here they are listed under `x-fake-e2b-volume-content`.
The rest of the API's operations are listed under `x-fake-e2b-gaps`: each answers 501.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from fake_e2b.domain.credentials import Way, ways_of
from fake_e2b.domain.operations import OPERATIONS, Operation, Plane
from fake_e2b.wire import rest
from fake_e2b.wire.endpoints import ENDPOINTS, Endpoint

Document = dict[str, Any]

_REASONS = {
    200: "OK",
    201: "Done",
    202: "Begun",
    204: "Done",
    400: "The request does not fit",
    401: "No valid credentials",
    403: "The team may not do this",
    404: "There is no such thing",
    409: "Its state does not allow that",
    413: "The body is too large",
    422: "The idempotency key belongs to another request",
    429: "The team's limit is reached",
    500: "The machine failed",
    503: "Not now",
}
_SCHEMES: Document = {
    "ApiKeyAuth": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "AccessTokenAuth": {"type": "http", "scheme": "bearer"},
    "UserAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "AdminAuth": {"type": "apiKey", "in": "header", "name": "X-Admin-Token"},
    "TeamAuth": {"type": "apiKey", "in": "header", "name": "X-Team-ID"},
}
_OF_A_WAY: Mapping[Way, tuple[str, ...]] = {
    Way.API_KEY: ("ApiKeyAuth",),
    Way.USER_FOR_TEAM: ("UserAuth", "TeamAuth"),
    Way.ADMIN_FOR_TEAM: ("AdminAuth", "TeamAuth"),
    Way.ACCESS_TOKEN: ("AccessTokenAuth",),
    Way.USER: ("UserAuth",),
    Way.ADMIN: ("AdminAuth",),
}
_GENERATION = re.compile(r"/v(\d+)/")
_PARAMETER = re.compile(r"\{(\w+)\}")
_NEXT_TOKEN = {"X-Next-Token": "Continues the list; absent on the last page"}
_TOTAL = {"X-Total-Running": "Running sandboxes behind the filter"}


def openapi_document() -> Document:
    """The document of everything that the control plane does."""
    paths: dict[str, Document] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    built = {(each.method, each.path) for each in ENDPOINTS}
    others = [
        each
        for each in OPERATIONS
        if each.plane is Plane.CONTROL and (each.method, each.path) not in built
    ]
    return {
        "openapi": "3.1.0",
        "info": {"title": "fake-e2b control plane", "version": "1"},
        "security": _security("createSandbox"),
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": _SCHEMES,
        },
        "x-fake-e2b-volume-content": [_named(each) for each in others if _is_content(each)],
        "x-fake-e2b-gaps": [_named(each) for each in others if not _is_content(each)],
    }


def _is_content(operation: Operation) -> bool:
    return operation.path.startswith("/volumecontent/")


def _named(operation: Operation) -> Document:
    return {"operation": operation.name, "method": operation.method, "path": operation.path}


def _operation(endpoint: Endpoint) -> Document:
    operation: Document = {
        "operationId": _operation_id(endpoint),
        "summary": endpoint.summary,
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint)],
        "responses": _responses(endpoint),
    }
    if endpoint.path == "/v2/sandboxes" and endpoint.method == "POST":
        operation["parameters"].append(
            {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
        )
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": endpoint.body_required,
            "content": {"application/json": {"schema": _reference(endpoint.body)}},
        }
    security = [] if endpoint.public else _security(_name(endpoint))
    if security != _security("createSandbox"):
        operation["security"] = security
    return operation


def _operation_id(endpoint: Endpoint) -> str:
    """The operation's name; generations share one, so all but the first say which they are."""
    generation = _GENERATION.match(endpoint.path)
    return _name(endpoint) + (f"V{generation[1]}" if generation else "")


def _name(endpoint: Endpoint) -> str:
    names = {(each.method, each.path): each.name for each in OPERATIONS}
    return names[endpoint.method, endpoint.path]


def _security(operation: str) -> list[Document]:
    """What an operation takes, each of these alone enough."""
    return [{scheme: [] for scheme in _OF_A_WAY[way]} for way in ways_of(operation)]


def _path_parameters(endpoint: Endpoint) -> Iterable[Document]:
    for name in _PARAMETER.findall(endpoint.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(endpoint: Endpoint) -> Iterable[Document]:
    if endpoint.query is None:
        return
    schema = endpoint.query.model_json_schema(by_alias=True)
    required = schema.get("required", ())
    for name, described in schema["properties"].items():
        parameter = {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": _cleaned({key: each for key, each in described.items() if key != "explode"}),
        }
        if described.get("type") == "array":
            parameter |= {"style": "form", "explode": described.get("explode", False)}
        yield parameter


def _responses(endpoint: Endpoint) -> Document:
    responses: Document = {}
    for status, shape in endpoint.answers.items():
        responses[str(status)] = _success(endpoint, status, shape)
    refusals = endpoint.refusals if endpoint.public else (*endpoint.refusals, 401, 403, 500)
    for status in sorted(refusals):
        content = {"application/json": {"schema": _reference(rest.Error)}}
        if status == 400 and endpoint.body is not None:
            # What the checks let pass and the service's types cannot hold.
            content["text/plain"] = {"schema": {"type": "string"}}
        responses[str(status)] = {"description": _REASONS[status], "content": content}
    return responses


def _success(endpoint: Endpoint, status: int, shape: type[rest.Shape] | None) -> Document:
    response: Document = {"description": _REASONS[status]}
    if endpoint.public:
        response["content"] = {"text/plain": {"schema": {"type": "string"}}}
    if shape is None:
        return response
    schema: Document = _reference(shape)
    if endpoint.is_list:
        schema = {"type": "array", "items": schema}
    response["content"] = {"application/json": {"schema": schema}}
    if endpoint.query is rest.ListQuery:
        response["headers"] = {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in (_NEXT_TOKEN | _TOTAL).items()
        }
    return response


def _reference(shape: type[rest.Shape]) -> Document:
    return {"$ref": f"#/components/schemas/{shape.__name__}"}


def _schemas() -> Document:
    models: set[type[rest.Shape]] = {rest.Error}
    for endpoint in ENDPOINTS:
        models |= {shape for shape in endpoint.answers.values() if shape is not None}
        if endpoint.body is not None:
            models.add(endpoint.body)
    ordered = sorted(models, key=lambda model: model.__name__)
    _, generated = models_json_schema(
        [(model, "validation") for model in ordered],
        by_alias=True,
        ref_template="#/components/schemas/{model}",
    )
    definitions: Mapping[str, Document] = generated["$defs"]
    return {name: _cleaned(schema) for name, schema in sorted(definitions.items())}


def _cleaned(schema: Any) -> Any:
    """Without generated titles and null defaults; what has a default may be null as well."""
    if isinstance(schema, list):
        return [_cleaned(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    cleaned = {
        key: _cleaned_properties(value) if key == "properties" else _cleaned(value)
        for key, value in schema.items()
        if key != "title" and not (key == "default" and value is None)
    }
    return cleaned


def _cleaned_properties(properties: Mapping[str, Document]) -> Document:
    return {name: _nullable_if_default(_cleaned(each)) for name, each in properties.items()}


def _nullable_if_default(schema: Document) -> Document:
    if "default" not in schema or "anyOf" in schema:
        return schema
    default = schema.pop("default")
    return {"anyOf": [schema, {"type": "null"}], "default": default}
