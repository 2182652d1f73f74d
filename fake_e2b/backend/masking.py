"""What the journal keeps of secrets: nothing but a tail to recognise them by.

Journals are printed into test reports, and those are kept by CI services for anyone to read.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from functools import lru_cache

SECRET_HEADERS = frozenset(
    {
        "authorization",
        "cookie",
        "e2b-traffic-access-token",
        "proxy-authorization",
        "x-access-token",
        "x-admin-token",
        "x-api-key",
    }
)
MASK = "****"
_SHOWN = 4
_LONG = 16

_HINTS = ("key", "token", "secret", "passw", "credential", "signature")
# Matches in JSON that was cut off, too: the closing quote may be missing.
_STRING_FIELD = re.compile(r'"([^"\\]{1,200})"(\s*:\s*")([^"\\]*(?:\\.[^"\\]*)*)')
_SECRET_PARAMETER = re.compile(
    r"((?:^|[?&])(?:signature|[\w.-]*?(?:access|api|auth)[_-]?(?:token|key)|token|password|secret)=)"
    r"([^&]*)",
    re.IGNORECASE,
)
_KEY = re.compile(r"(?:sk_)?e2b_[0-9a-f]{8,}")
_DIGITS = re.compile(r"[0-9a-f]{64,}")
_SECRET_NAME = re.compile(r"token|secret|passw|credential|signature|api-?key", re.IGNORECASE)
_SECRETS_REMEMBERED = 20_000
_TOKEN_DIGITS = 64


def mask(secret: str) -> str:
    """The secret with all but its tail hidden; a short one wholly.

    >>> mask("e2b_0123456789abcdef")
    '****cdef'
    """
    return MASK + secret[-_SHOWN:] if len(secret) >= _LONG else MASK


def mask_header(name: str, value: str) -> str:
    """The header's value as the journal keeps it; `name` is in lower case.

    Basic credentials without a password name a user and hide nothing, so they stay.
    """
    if name not in SECRET_HEADERS and not _SECRET_NAME.search(name):
        return value
    scheme, space, credentials = value.partition(" ")
    if scheme.lower() == "basic" and _is_bare_name(credentials):
        return value
    return f"{scheme} {mask(credentials)}" if space else mask(value)


def _is_bare_name(credentials: str) -> bool:
    try:
        name, colon, password = b64decode(credentials, validate=True).partition(b":")
    except ValueError:
        return False
    return bool(name and colon) and not password


def mask_json(text: str) -> str:
    """JSON, perhaps cut off, with the string values of secret-looking fields masked.

    >>> mask_json('{"envs": {"OPENAI_API_KEY": "sk-0123456789abcdef"}, "cmd": "ls')
    '{"envs": {"OPENAI_API_KEY": "****cdef"}, "cmd": "ls'
    """
    # Most bodies hold nothing of the kind, and looking for words is ten times cheaper.
    lower = text.lower()
    if not any(hint in lower for hint in _HINTS):
        return text
    return _STRING_FIELD.sub(_masked_field, text)


def _masked_field(found: re.Match[str]) -> str:
    name, between, value = found.groups()
    return f'"{name}"{between}{mask(value)}' if _is_secret(name) else found[0]


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    lower = name.lower()
    return any(hint in lower for hint in _HINTS)


def mask_secret_body(beginning: bytes, name: str) -> str:
    """A body without the value of that property, not even its tail.

    What cannot be read, or was cut off, is hidden as a whole: who knows what it holds.
    """
    if not beginning:
        return ""
    try:
        body = json.loads(beginning)
    except ValueError:
        return MASK
    if not isinstance(body, dict):
        return MASK
    return json.dumps(body | {name: MASK} if name in body else body)


def mask_query(path: str) -> str:
    """A path with its query; signatures and tokens in it are masked."""
    if "=" not in path:
        return path
    return _SECRET_PARAMETER.sub(lambda found: found[1] + mask(found[2]), path)


class Secrets:
    """Masks what is a secret wherever it stands: keys by their form, tokens that it was told of.

    The newest tokens are remembered, which are those of sandboxes that exist.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, None] = {}

    def add(self, token: str | None) -> None:
        """Mask this token from now on; it has 64 hexadecimal digits."""
        if token is not None:
            self._tokens[token] = None
            if len(self._tokens) > _SECRETS_REMEMBERED:
                del self._tokens[next(iter(self._tokens))]

    def masked(self, text: str) -> str:
        """The text without secrets."""
        if "e2b_" in text:
            text = _KEY.sub(lambda found: mask(found[0]), text)
        if len(text) >= _TOKEN_DIGITS and self._tokens:
            text = _DIGITS.sub(self._unless_known, text)
        return text

    def _unless_known(self, found: re.Match[str]) -> str:
        digits = found[0]
        if len(digits) == _TOKEN_DIGITS:
            return mask(digits) if digits in self._tokens else digits
        for start in range(len(digits) - _TOKEN_DIGITS + 1):
            # Digits of something else may stand right beside a token.
            if digits[start : start + _TOKEN_DIGITS] in self._tokens:
                return mask(digits)
        return digits

    def clear(self) -> None:
        """Forget the tokens."""
        self._tokens.clear()
