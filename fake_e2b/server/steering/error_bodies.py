"""The body of an answer that only has a status: the error of the part of the service asked."""

from __future__ import annotations

from fake_e2b.domain.steering.asked import Asked
from fake_e2b.wire.connect import Code, ConnectFailure
from fake_e2b.wire.http_status import phrase
from fake_e2b.wire.service_json import encode

_CODES = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    409: Code.ALREADY_EXISTS,
    412: Code.FAILED_PRECONDITION,
    429: Code.RESOURCE_EXHAUSTED,
    499: Code.CANCELED,
    501: Code.UNIMPLEMENTED,
    502: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
    504: Code.DEADLINE_EXCEEDED,
    507: Code.RESOURCE_EXHAUSTED,
}


_UNKNOWN_CODE = "UNKNOWN_USER_ERROR_CODE"
_CONTENT_CODES = {
    400: "INVALID_REQUEST",
    404: "PATH_NOT_FOUND",
    409: "PATH_ALREADY_EXISTS",
    501: "NOT_SUPPORTED",
}
"""What the content API of volumes calls them: its codes are strings."""


def error_body(asked: Asked, status: int, message: str | None) -> bytes:
    """JSON in the shape of envd's RPCs, of the sandbox proxy, of volumes, or of everything else."""
    text = phrase(status).decode() if message is None else message
    if asked.operation.startswith(("Process.", "Filesystem.")):
        code = _CODES.get(status, Code.INTERNAL if status >= 500 else Code.UNKNOWN)
        return ConnectFailure(code, text).body()
    if asked.path.startswith("/volumecontent/"):
        return encode({"code": _CONTENT_CODES.get(status, _UNKNOWN_CODE), "message": text})
    body: dict[str, object] = {"code": status, "message": text}
    if asked.port is not None and not asked.operation.startswith(("files.", "envd.")):
        body = {"sandboxId": asked.sandbox_id, "message": text, "code": status}
    return encode(body)
