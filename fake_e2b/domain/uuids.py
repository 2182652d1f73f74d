"""UUIDs as requests write them, and the service's words for what is none."""

from __future__ import annotations

import re

_DIGITS = re.compile(r"[0-9a-fA-F]{32}")
_DASHED = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_URN = "urn:uuid:"


class BadUuidError(ValueError):
    """The text is no UUID; the message is the service's."""


def parse_uuid(text: str) -> str:
    """The UUID in its usual form.

    >>> parse_uuid("{0F5E8A4C-0000-4000-8000-000000000001}")
    '0f5e8a4c-0000-4000-8000-000000000001'

    Raises:
        BadUuidError: It is none.
    """
    bare = text
    if len(text) == 36 + len(_URN):
        if text[: len(_URN)].lower() != _URN:
            raise BadUuidError(f'invalid urn prefix: "{text[: len(_URN)]}"')
        bare = text[len(_URN) :]
    elif len(text) == 38:
        bare = text[1:-1]
    elif len(text) == 32 and _DIGITS.fullmatch(text):
        low = text.lower()
        return f"{low[:8]}-{low[8:12]}-{low[12:16]}-{low[16:20]}-{low[20:]}"
    elif len(text) not in (32, 36):
        raise BadUuidError(f"invalid UUID length: {len(text.encode())}")
    if not _DASHED.fullmatch(bare):
        raise BadUuidError("invalid UUID format")
    return bare.lower()
