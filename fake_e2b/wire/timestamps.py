"""Instants as RFC 3339 text, always UTC with `Z` when written."""

from __future__ import annotations

import datetime
import re

from fake_e2b.domain.clock import SECOND_NS

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))",
    re.ASCII,
)


def format_instant(instant_ns: int) -> str:
    """Up to nine fractional digits, trailing zeros left out.

    >>> format_instant(1_500_000_000)
    '1970-01-01T00:00:01.5Z'
    """
    seconds, fraction = divmod(instant_ns, SECOND_NS)
    text = (_EPOCH + datetime.timedelta(seconds=seconds)).isoformat()[:19]
    return f"{text}.{fraction:09d}".rstrip("0") + "Z" if fraction else f"{text}Z"


def parse_instant(text: str) -> int | None:
    """Nanoseconds since the epoch; None if `text` is no RFC 3339 date-time with an offset."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    try:
        moment = datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC)
    except ValueError:
        return None
    seconds = int((moment - _EPOCH).total_seconds())
    if match[8]:
        offset = int(match[9]) * 3600 + int(match[10]) * 60
        seconds -= offset if match[8] == "+" else -offset
    return seconds * SECOND_NS + int((match[7] or "0")[:9].ljust(9, "0"))
