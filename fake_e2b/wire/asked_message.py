"""Reads what a request asks for without serving it: JSON bodies and the first message of RPCs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fake_e2b.wire import envelope
from fake_e2b.wire.connect import ConnectFailure, content_type_of, read_opening
from fake_e2b.wire.proto_schema import Method, envd_schema
from fake_e2b.wire.protobuf import ProtoError, decode
from fake_e2b.wire.protojson import from_json

MOST_READ = 1 << 20
"""Bytes; of a longer body nothing is read."""
_METHODS = envd_schema().methods


def is_readable(path: str, headers: Mapping[str, str]) -> bool:
    """Whether the body can be read at all, by what the headers (names in lower case) say."""
    if path in _METHODS:
        content_type = headers.get("content-type", "")
        return content_type_of(content_type, unary=_METHODS[path].unary) is not None
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def is_enough(path: str, data: bytes) -> bool:
    """Whether the beginning of a body holds all that `asked_message` looks at."""
    if path not in _METHODS or _METHODS[path].unary:
        return False
    try:
        return _first_frame(data, end=False) is not None
    except ConnectFailure:
        return True


def asked_message(path: str, headers: Mapping[str, str], data: bytes) -> Any:
    """The JSON body, or the first message of an RPC with its fields by their names.

    None where it is neither; refusing it is up to whoever serves the request.
    """
    try:
        if path in _METHODS:
            return _message(_METHODS[path], headers, data)
        return json.loads(data)
    except (ConnectFailure, ProtoError, ValueError, RecursionError):
        return None


def _message(method: Method, headers: Mapping[str, str], data: bytes) -> Any:
    content_type = content_type_of(headers.get("content-type", ""), unary=method.unary)
    if content_type is None:
        return None
    opening = read_opening(headers, content_type)
    if content_type.enveloped:
        frame = _first_frame(data, end=True)
        if frame is None:
            return None
        compressed = opening.request_gzip
        data = envelope.payload_of(frame, compression=compressed, max_bytes=MOST_READ)
    elif opening.request_gzip and data:
        data = envelope.gunzip(data, MOST_READ)
    if content_type.codec == "json":
        return from_json(method.request, data)
    return decode(method.request, data)


def _first_frame(data: bytes, *, end: bool) -> envelope.Frame | None:
    reader = envelope.FrameReader(MOST_READ)
    reader.feed(data, end=end)
    return reader.next_frame()
