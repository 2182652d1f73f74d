"""The Connect protocol's rules that need no I/O: codes, headers, deadlines, compression.

What a request's headers say is read once into an `Opening`; refusals are `ConnectFailure`s with
the texts that connect-go gives them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Code(StrEnum):
    """The codes of Connect, by their names on the wire."""

    CANCELED = "canceled"
    UNKNOWN = "unknown"
    INVALID_ARGUMENT = "invalid_argument"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    PERMISSION_DENIED = "permission_denied"
    RESOURCE_EXHAUSTED = "resource_exhausted"
    FAILED_PRECONDITION = "failed_precondition"
    ABORTED = "aborted"
    OUT_OF_RANGE = "out_of_range"
    UNIMPLEMENTED = "unimplemented"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"
    DATA_LOSS = "data_loss"
    UNAUTHENTICATED = "unauthenticated"


HTTP_STATUS: Mapping[Code, int] = {
    Code.CANCELED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}
"""The status of a unary error. Fact: envd.connect.codes"""

GRPC_STATUS: Mapping[Code, int] = {code: number for number, code in enumerate(Code, start=1)}
"""gRPC's numbers, which gRPC-Web's trailers carry."""


class ConnectFailure(Exception):
    """An RPC that ends with an error.

    Args:
        code: The Connect code.
        message: The text, as the client's exception shows it.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def body(self) -> bytes:
        """The JSON object of a unary error, `<`, `>` and `&` escaped as Go does."""
        return _go_json({"code": self.code.value, "message": self.message})

    def end(self) -> bytes:
        """The JSON object of a stream's last frame."""
        return _go_json({"error": {"code": self.code.value, "message": self.message}})


CODEC_JSON: Literal["json"] = "json"
CODEC_PROTO: Literal["proto"] = "proto"
Codec = Literal["json", "proto"]
Protocol = Literal["connect", "grpc-web"]

_GRPC_TYPES = (
    "application/grpc",
    "application/grpc+json",
    "application/grpc+json; charset=utf-8",
    "application/grpc+proto",
    "application/grpc-web",
    "application/grpc-web+json",
    "application/grpc-web+json; charset=utf-8",
    "application/grpc-web+proto",
)
_UNARY_TYPES = ("application/json", "application/json; charset=utf-8", "application/proto")
_STREAM_TYPES = (
    "application/connect+json",
    "application/connect+json; charset=utf-8",
    "application/connect+proto",
)
ACCEPT_POST_UNARY = ", ".join((*_GRPC_TYPES, *_UNARY_TYPES))
"""What a unary path says it takes. Fact: envd.connect.unary.415"""
ACCEPT_POST_STREAM = ", ".join((*_STREAM_TYPES, *_GRPC_TYPES))
"""The same for a streaming path. Fact: envd.connect.stream.415"""

DEADLINE_TEXT = "context deadline exceeded"

_PARAMETER = re.compile(r"\s*([^\s=;]+)\s*=\s*\"?([^\s\";]*)\"?\s*")
_INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)
_SEPARATORS = re.compile(r"[,\s]+")


@dataclass(frozen=True, slots=True)
class ContentType:
    """How a request's messages are written.

    Attributes:
        name: In canonical form; the answer's own content type.
        enveloped: Whether messages come in frames.
    """

    name: str
    codec: Codec
    protocol: Protocol
    enveloped: bool


def _content_types(unary: bool) -> dict[str, ContentType]:
    found = {}
    for name in _UNARY_TYPES if unary else _STREAM_TYPES:
        codec = CODEC_PROTO if name.endswith("proto") else CODEC_JSON
        found[name] = ContentType(name, codec, "connect", enveloped=not unary)
    for name in _GRPC_TYPES:
        if name.startswith("application/grpc-web"):
            codec = CODEC_JSON if "+json" in name else CODEC_PROTO
            found[name] = ContentType(name, codec, "grpc-web", enveloped=True)
    return found


_UNARY_CONTENT_TYPES = _content_types(unary=True)
_STREAM_CONTENT_TYPES = _content_types(unary=False)


def content_type_of(header: str, *, unary: bool) -> ContentType | None:
    """What a Content-Type header announces; None for a type that is not taken (415)."""
    known = _UNARY_CONTENT_TYPES if unary else _STREAM_CONTENT_TYPES
    return known.get(header) or known.get(_canonical_type(header))


def _canonical_type(header: str) -> str:
    name, *parameters = header.split(";")
    found = [name.strip().lower()]
    for parameter in parameters:
        if match := _PARAMETER.fullmatch(parameter):
            key, value = match[1].lower(), match[2]
            found.append(f"{key}={value.lower() if key == 'charset' else value}")
        elif parameter.strip():
            return ""
    return "; ".join(found)


@dataclass(frozen=True, slots=True)
class Opening:
    """What the headers of an accepted request say.

    Attributes:
        timeout_s: Seconds until the deadline, 0 when it has passed; None without a deadline.
        request_gzip: Whether (flagged) messages are compressed.
        response_gzip: Whether the answer is to be compressed.
    """

    content_type: ContentType
    timeout_s: float | None
    request_gzip: bool
    response_gzip: bool


def read_opening(headers: Mapping[str, str], content_type: ContentType) -> Opening:
    """Read a request's headers (names in lower case).

    Raises:
        ConnectFailure: An unknown compression, protocol version or timeout.

    Facts: envd.connect.compression.*, envd.connect.version, envd.connect.timeout.*
    """
    if content_type.protocol == "grpc-web":
        sent, accepted = "grpc-encoding", "grpc-accept-encoding"
    elif content_type.enveloped:
        sent, accepted = "connect-content-encoding", "connect-accept-encoding"
    else:
        sent, accepted = "content-encoding", "accept-encoding"
    request_gzip = _is_gzip(headers.get(sent, ""))
    accept = headers.get(accepted, "")
    response_gzip = "gzip" in _SEPARATORS.split(accept) if accept else request_gzip
    if content_type.protocol == "grpc-web":
        timeout_s = _grpc_timeout(headers.get("grpc-timeout", ""))
    else:
        version = headers.get("connect-protocol-version", "")
        if version not in ("", "1"):
            raise ConnectFailure(
                Code.INVALID_ARGUMENT,
                f'Connect-Protocol-Version must be "1": got {_go_quoted(version)}',
            )
        timeout_s = connect_timeout(headers.get("connect-timeout-ms", ""))
    return Opening(content_type, timeout_s, request_gzip, response_gzip)


def _is_gzip(encoding: str) -> bool:
    if encoding in ("", "identity"):
        return False
    if encoding != "gzip":
        raise ConnectFailure(
            Code.UNIMPLEMENTED,
            f"unknown compression {_go_quoted(encoding)}: supported encodings are gzip",
        )
    return True


def connect_timeout(header: str) -> float | None:
    """Seconds that a Connect-Timeout-Ms header grants; None without one, 0 when none is left.

    Raises:
        ConnectFailure: It is no integer, or longer than ten characters.
    """
    if not header:
        return None
    if len(header) > 10:
        raise ConnectFailure(
            Code.INVALID_ARGUMENT, f"parse timeout: {_go_quoted(header)} has >10 digits"
        )
    if not _INTEGER.fullmatch(header):
        raise ConnectFailure(
            Code.INVALID_ARGUMENT,
            f"parse timeout: strconv.ParseInt: parsing {_go_quoted(header)}: invalid syntax",
        )
    return max(int(header), 0) / 1000


_GRPC_UNITS_S = {"H": 3600, "M": 60, "S": 1, "m": 1e-3, "u": 1e-6, "n": 1e-9}


def _grpc_timeout(header: str) -> float | None:
    if not header:
        return None
    digits, unit = header[:-1], header[-1]
    if unit not in _GRPC_UNITS_S or not digits.isdecimal() or len(digits) > 8:
        raise ConnectFailure(
            Code.INVALID_ARGUMENT, f"protocol error: invalid timeout {_go_quoted(header)}"
        )
    return int(digits) * _GRPC_UNITS_S[unit]


def _go_quoted(text: str) -> str:
    """Go's %q, for what can stand in a header."""
    return json.dumps(text, ensure_ascii=False)


_HTML_ESCAPES = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def _go_json(value: object) -> bytes:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.translate(_HTML_ESCAPES).encode(errors="replace")
