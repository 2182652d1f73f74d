"""POST /files/compose: several files become one."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from typing import Any

from fake_e2b.backend.compose import compose, resolve_destination
from fake_e2b.backend.entries import base_name
from fake_e2b.data_plane.asgi import ClientGoneError, Receive, Scope, Send
from fake_e2b.data_plane.envd.access import envd_of
from fake_e2b.data_plane.envd.replies import answer_error, answer_json
from fake_e2b.domain.envd_errors import EnvdError, EnvdKind

_LARGEST_BODY = 16 * 1024 * 1024
_STEPS_IN_A_ROW = 4


async def compose_files(scope: Scope, receive: Receive, send: Send) -> None:
    """Join the sources into the destination. Fact: envd.files.compose"""
    envd = envd_of(scope)
    try:
        request = _parse(await _read_body(receive))
        sources, destination = request.get("source_paths") or [], request.get("destination") or ""
        user = envd.user(request.get("username"))
        with closing(compose(envd, sources, destination, user, unique=envd.ids.uuid())) as steps:
            for number, _ in enumerate(steps, start=1):
                if number % _STEPS_IN_A_ROW == 0:
                    await asyncio.sleep(0)
    except EnvdError as error:
        await answer_error(send, error)
        return
    except ClientGoneError:
        return
    path = resolve_destination(envd, destination, user)
    await answer_json(send, {"name": base_name(path), "path": path, "type": "file"})


async def _read_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        body += message.get("body", b"")
        if len(body) > _LARGEST_BODY:
            raise EnvdError(EnvdKind.COMPOSE_BODY, reason="http: request body too large")
        if not message.get("more_body", False):
            return bytes(body)


def _parse(body: bytes) -> dict[str, Any]:
    if not body.strip():
        raise EnvdError(EnvdKind.COMPOSE_BODY, reason="EOF")
    try:
        # Only the first value counts: the daemon's decoder stops after it.
        value, _ = json.JSONDecoder().raw_decode(body.decode(errors="replace").lstrip())
    except ValueError as error:
        raise EnvdError(EnvdKind.COMPOSE_BODY, reason=_syntax_error(body)) from error
    if value is None:
        return {}
    problem = _type_error(value)
    if problem:
        raise EnvdError(EnvdKind.COMPOSE_BODY, reason=f"json: cannot unmarshal {problem}") from None
    request: dict[str, Any] = value
    return request


_FIELDS = {"source_paths": "[]string", "destination": "string", "username": "string"}
_OWNER = "api.PostFilesComposeJSONRequestBody"


def _type_error(value: object) -> str:
    """What Go's decoder would say of values of the wrong type; "" when all are right."""
    if not isinstance(value, dict):
        return f"{_json_type(value)} into Go value of type {_OWNER}"
    for name, kind in _FIELDS.items():
        given = value.get(name)
        if given is None:
            continue
        if kind == "string" and not isinstance(given, str):
            return f"{_json_type(given)} into Go struct field {_OWNER}.{name} of type string"
        if kind == "[]string":
            if not isinstance(given, list):
                return f"{_json_type(given)} into Go struct field {_OWNER}.{name} of type []string"
            for item in given:
                if not isinstance(item, str):
                    return f"{_json_type(item)} into Go struct field {_OWNER}.{name} of type string"
    return ""


def _json_type(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _syntax_error(body: bytes) -> str:
    text = body.decode(errors="replace").lstrip()
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()):
            return "unexpected EOF"
        character = text[error.pos]
        where = "looking for beginning of value"
        if "property name" in error.msg:
            where = "looking for beginning of object key string"
        elif "',' delimiter" in error.msg:
            where = "after object key:value pair"
        elif "':' delimiter" in error.msg:
            where = "after object key"
        return f"invalid character '{character}' {where}"
    return "unexpected EOF"
