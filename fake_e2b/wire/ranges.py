"""Range and conditional requests, as Go's file server judges them. Facts: envd.files.range.*"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

_SECOND_NS = 1_000_000_000
_NUMBER = re.compile(r"\+?[0-9]+", re.ASCII)

FORCES_IDENTITY = ("range", "if-modified-since", "if-none-match", "if-range")
"""Headers that make the daemon answer uncompressed."""


class RangeError(ValueError):
    """A Range that cannot be served (416); the text is the answer's.

    Args:
        overlaps: False when it is well formed and lies behind the end.
    """

    def __init__(self, *, overlaps: bool) -> None:
        super().__init__("invalid range" if overlaps else "invalid range: failed to overlap")
        self.overlaps = overlaps


@dataclass(frozen=True, slots=True)
class ByteRange:
    """`length` bytes from `start` on."""

    start: int
    length: int

    def content_range(self, size: int) -> str:
        """The Content-Range header's value."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{size}"


def parse_ranges(header: str, size: int) -> list[ByteRange]:
    """The ranges a Range header asks for; none when the whole file is to be sent.

    Raises:
        RangeError: The header is malformed, or nothing of it overlaps the file.
    """
    if not header:
        return []
    if not header.startswith("bytes="):
        raise RangeError(overlaps=True)
    ranges: list[ByteRange] = []
    missed = False
    for part in header[len("bytes=") :].split(","):
        part = part.strip(" \t")
        if not part:
            continue
        first, dash, last = (piece.strip(" \t") for piece in part.partition("-"))
        if not dash:
            raise RangeError(overlaps=True)
        if not first:
            wanted = min(_number(last), size)
            ranges.append(ByteRange(size - wanted, wanted))
            continue
        start = _number(first)
        if start >= size:
            missed = True
            continue
        end = _number(last) if last else size - 1
        if start > end:
            raise RangeError(overlaps=True)
        ranges.append(ByteRange(start, min(end, size - 1) - start + 1))
    if missed and not ranges:
        if size == 0:
            return []
        raise RangeError(overlaps=False)
    # Asking for more than there is is taken for an attack, or for a client that knows no better.
    return [] if sum(each.length for each in ranges) > size else ranges


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text) or int(text) >= 2**63:
        raise RangeError(overlaps=True)
    return int(text)


def http_date(mtime_ns: int) -> str | None:
    """A Last-Modified value; None for the epoch itself, which means "unknown"."""
    return formatdate(mtime_ns // _SECOND_NS, usegmt=True) if mtime_ns else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the conditions of a request lead to.

    Attributes:
        status: 304 or 412; None when the file is to be sent.
        range_header: The Range to honour, "" for none.
    """

    status: int | None
    range_header: str


def judge(headers: Mapping[str, str], mtime_ns: int) -> Verdict:
    """Judge If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since and If-Range.

    There is never an ETag, so only ``*`` matches one.
    """
    range_header = headers.get("range", "")
    modified_s = mtime_ns // _SECOND_NS
    if if_match := headers.get("if-match", ""):
        if not _has_star(if_match):
            return Verdict(412, "")
    elif mtime_ns and _is_after(modified_s, headers.get("if-unmodified-since")):
        return Verdict(412, "")
    if none_match := headers.get("if-none-match", ""):
        if _has_star(none_match):
            return Verdict(304, "")
    elif mtime_ns and _is_after(modified_s, headers.get("if-modified-since")) is False:
        return Verdict(304, "")
    if_range = headers.get("if-range", "")
    if if_range and not (mtime_ns and _seconds(if_range) == modified_s):
        range_header = ""
    return Verdict(None, range_header)


def _is_after(instant_s: int, date: str | None) -> bool | None:
    """None when there is no date to compare with."""
    limit = _seconds(date)
    return None if limit is None else instant_s > limit


def _has_star(tags: str) -> bool:
    return tags.lstrip(" \t,").startswith("*")


def _seconds(date: str | None) -> int | None:
    if not date:
        return None
    try:
        return int(parsedate_to_datetime(date).timestamp())
    except (ValueError, OverflowError):
        return None
