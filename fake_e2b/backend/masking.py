"""What the journal keeps of secrets: nothing but a tail to recognise them by.

Journals are printed into test reports, and those are kept by CI services for anyone to read.
"""

from __future__ import annotations

import re

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
_SECRET_FIELD = re.compile(
    rf'("[^"\\]{{0,100}}?(?:{"|".join(_HINTS)})[^"\\]{{0,100}}?"\s*:\s*")'
    r'((?:[^"\\]|\\.)*)',
    re.IGNORECASE,
)
_SIGNATURE = re.compile(r"((?:^|[?&])signature=)([^&]*)")


def mask(secret: str) -> str:
    """The secret with all but its tail hidden; a short one wholly.

    >>> mask("e2b_0123456789abcdef")
    '****cdef'
    """
    return MASK + secret[-_SHOWN:] if len(secret) >= _LONG else MASK


def mask_header(name: str, value: str) -> str:
    """The header's value as the journal keeps it; `name` is in lower case."""
    if name not in SECRET_HEADERS:
        return value
    scheme, space, credentials = value.partition(" ")
    return f"{scheme} {mask(credentials)}" if space else mask(value)


def mask_json(text: str) -> str:
    """JSON, perhaps cut off, with the string values of secret-looking fields masked.

    >>> mask_json('{"envs": {"OPENAI_API_KEY": "sk-0123456789abcdef"}, "cmd": "ls')
    '{"envs": {"OPENAI_API_KEY": "****cdef"}, "cmd": "ls'
    """
    # Most bodies hold nothing of the kind, and looking for words is ten times cheaper.
    lower = text.lower()
    if not any(hint in lower for hint in _HINTS):
        return text
    return _SECRET_FIELD.sub(lambda found: found[1] + mask(found[2]), text)


def mask_query(path: str) -> str:
    """A path with its query, the signature of a signed URL masked."""
    if "signature=" not in path:
        return path
    return _SIGNATURE.sub(lambda found: found[1] + mask(found[2]), path)
