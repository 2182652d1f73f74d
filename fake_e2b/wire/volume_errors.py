"""How refusals of the content API look: kind to status, `code` (a string here) and text.

Fact: volumes.content.errors
"""

from __future__ import annotations

from collections.abc import Mapping

from fake_e2b.domain.volume_errors import VolumeError
from fake_e2b.domain.volume_errors import VolumeKind as K
from fake_e2b.wire import service_json

_UNKNOWN = "UNKNOWN_USER_ERROR_CODE"
_NOT_FOUND = "PATH_NOT_FOUND"
_INVALID = "INVALID_REQUEST"

TABLE: Mapping[K, tuple[int, str, str]] = {
    K.TOKEN_MISSING: (401, _UNKNOWN, "authorization header is missing"),
    K.TOKEN_INVALID: (401, _UNKNOWN, "the volume token is invalid or has expired"),
    K.TOKEN_FOREIGN: (403, _UNKNOWN, "the token is not for this volume"),
    K.VOLUME_GONE: (404, _NOT_FOUND, "volume not found"),
    K.BAD_PARAMETER: (400, _INVALID, "Invalid format for parameter {name}: {reason}"),
    K.BAD_BODY: (400, _INVALID, "Error when parsing request: {reason}"),
    K.BAD_PATH: (400, _INVALID, 'failed to {action}: "{path}": {reason}'),
    K.BELOW_A_FILE: (
        400,
        _INVALID,
        'failed to {action}: "{path}": a component of the path is a file, but must be a directory',
    ),
    K.DEPTH: (400, "DEPTH_OUT_OF_RANGE", "depth must be between 1 and 10"),
    K.ROOT: (400, "CANNOT_DELETE_ROOT", "cannot delete root"),
    K.NOT_SUPPORTED: (400, "NOT_SUPPORTED", 'failed to {action}: "{path}" is not supported'),
    K.MISSING: (404, _NOT_FOUND, 'failed to {action}: "{path}" not found.'),
    K.EXISTS: (409, "PATH_ALREADY_EXISTS", 'failed to {action}: "{path}" already exists.'),
    K.FAILED: (500, _UNKNOWN, 'failed to {action}: "{path}": {reason}'),
}


def render(error: VolumeError) -> tuple[int, bytes]:
    """Status and body of a refusal."""
    status, code, text = TABLE[K(error.kind)]
    fields = {name: _shown(value) for name, value in error.fields.items()}
    return status, service_json.encode({"code": code, "message": text.format(**fields)})


def _shown(value: object) -> str:
    return str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
