"""Page tokens: `<RFC 3339 time>__<id>[__asc]` in URL-safe base64 with padding.

Fact: control.pages.cursor
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.wire.timestamps import format_instant, parse_instant


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last item of a page."""

    started_at_ns: int
    sandbox_id: str


def encode_cursor(cursor: Cursor, *, ascending: bool) -> str:
    """The token that continues after `cursor`."""
    text = f"{format_instant(cursor.started_at_ns)}__{cursor.sandbox_id}"
    if ascending:
        text += "__asc"
    return base64.urlsafe_b64encode(text.encode()).decode()


def decode_cursor(token: str, *, ascending: bool) -> Cursor | None:
    """What `encode_cursor` made; None for the empty token, which means the first page.

    Raises:
        ControlError: INVALID_NEXT_TOKEN: garbage, or a token of the other direction.
    """
    if not token:
        return None
    parts = _text(token).split("__")
    instant_ns = parse_instant(parts[0])
    if parts[2:] != (["asc"] if ascending else []) or len(parts) < 2 or instant_ns is None:
        raise ControlError(ControlKind.INVALID_NEXT_TOKEN)
    return Cursor(instant_ns, parts[1])


def _text(token: str) -> str:
    try:
        # Python's decoder skips what is not in the alphabet unless told to validate.
        plain = token.encode("ascii").translate(bytes.maketrans(b"-_+/", b"+/!!"))
        return base64.b64decode(plain, validate=True).decode()
    except (ValueError, binascii.Error):
        raise ControlError(ControlKind.INVALID_NEXT_TOKEN) from None
