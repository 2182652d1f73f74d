"""Reads a multipart body as it arrives: bytes in, events out, content uncopied.

Behaves as the daemon's parser (Go's `mime/multipart`) where clients can tell: what counts as a
boundary, which line ends are taken, how a body that breaks off is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import unquote_to_bytes

LONGEST_HEADERS = 64 * 1024
"""Bytes that a part's headers may take."""


class MultipartError(ValueError):
    """The body is no such form; the text is the daemon's.

    Args:
        in_content: Whether it broke off inside a part's content.
    """

    def __init__(self, text: str, *, in_content: bool = False) -> None:
        super().__init__(text)
        self.in_content = in_content


@dataclass(frozen=True, slots=True)
class PartStart:
    """A part begins.

    Attributes:
        name: Of the form's field; "" when the part is none.
        filename: As given, path included; None without one.
    """

    name: str
    filename: str | None


class PartEnd:
    """The part is whole."""


Event = PartStart | memoryview | PartEnd
"""A `memoryview` is content, valid until the next call."""

_PART_END = PartEnd()


class _State(Enum):
    PREAMBLE = auto()
    AFTER_BOUNDARY = auto()
    HEADERS = auto()
    CONTENT = auto()
    DONE = auto()


class MultipartReader:
    """Fed with pieces of the body.

    Args:
        boundary: The Content-Type's parameter.
    """

    def __init__(self, boundary: bytes) -> None:
        self._first = b"--" + boundary
        self._newline = b"\r\n"
        self._delimiter = b"\r\n" + self._first
        self._state = _State.PREAMBLE
        self._kept = b""
        self._is_content_start = False

    @property
    def is_in_content(self) -> bool:
        """Whether the last event was a part's start or its content."""
        return self._state is _State.CONTENT

    def feed(self, data: bytes) -> Iterator[Event]:
        """Events of one more piece; to be used up before the next call.

        Raises:
            MultipartError: The body is malformed.
        """
        if self._kept:
            data, self._kept = self._kept + data, b""
        at = 0
        while at < len(data) or self._state is _State.AFTER_BOUNDARY:
            state = self._state
            if state is _State.CONTENT:
                content_ends, next_at = self._find_end(data, at)
                if content_ends > at:
                    yield memoryview(data)[at:content_ends]
                    self._is_content_start = False
                if next_at is None:
                    self._kept = data[content_ends:]
                    return
                at = next_at
                self._state = _State.AFTER_BOUNDARY
                yield _PART_END
            elif state is _State.DONE:
                return
            else:
                found = self._step(data, at)
                if found is None:
                    self._kept = data[at:]
                    if len(self._kept) > LONGEST_HEADERS:
                        raise MultipartError("multipart: NextPart: message too large")
                    return
                at, event = found
                if event is not None:
                    yield event

    def end(self) -> None:
        """The body is over.

        Raises:
            MultipartError: It was not whole.
        """
        if self._state is _State.CONTENT:
            raise MultipartError("unexpected EOF", in_content=True)
        if self._state is not _State.DONE:
            raise MultipartError("multipart: NextPart: EOF")

    # The steps outside of content: where to go on and what to report; None needs more bytes.

    def _step(self, data: bytes, at: int) -> tuple[int, Event | None] | None:
        if self._state is _State.PREAMBLE:
            return self._find_first(data, at)
        if self._state is _State.AFTER_BOUNDARY:
            return self._end_line(data, at)
        return self._read_headers(data, at)

    def _find_first(self, data: bytes, at: int) -> tuple[int, None] | None:
        while True:
            line_ends = data.find(b"\n", at)
            if data.startswith(self._first, at) and (
                line_ends >= 0 or data.startswith(b"--", at + len(self._first))
            ):
                self._state = _State.AFTER_BOUNDARY
                return at + len(self._first), None
            if line_ends < 0:
                return (len(data), None) if len(data) - at > LONGEST_HEADERS // 2 else None
            at = line_ends + 1

    def _end_line(self, data: bytes, at: int) -> tuple[int, None] | None:
        """What follows a boundary: its line's end, or the two dashes that close the form."""
        if data.startswith(b"--", at):
            self._state = _State.DONE
            return len(data), None
        line_ends = data.find(b"\n", at)
        if line_ends < 0:
            return None
        rest = data[at:line_ends]
        if rest.strip(b" \t\r"):
            raise MultipartError(
                f"multipart: expecting a new Part; got line {_quoted(self._first + rest)}"
            )
        if not rest.endswith(b"\r"):
            self._newline = b"\n"
            self._delimiter = b"\n" + self._first
        self._state = _State.HEADERS
        return line_ends + 1, None

    def _read_headers(self, data: bytes, at: int) -> tuple[int, Event] | None:
        newline = self._newline
        if data.startswith(newline, at):
            block, after = b"", at + len(newline)
        else:
            ends = data.find(newline * 2, at)
            if ends < 0:
                return None
            block, after = data[at:ends], ends + 2 * len(newline)
        self._state = _State.CONTENT
        self._is_content_start = True
        return after, _part_start(block)

    def _find_end(self, data: bytes, at: int) -> tuple[int, int | None]:
        """Where the content in `data` ends, and where to go on if a boundary ends it."""
        delimiter = self._delimiter
        if self._is_content_start:
            # An empty part may do without the line end before its boundary.
            first = self._first
            if data.startswith(first, at) and len(data) > at + len(first):
                if data[at + len(first)] in b" \t\r\n-":
                    return at, at + len(first)
            elif first.startswith(data[at:]):
                return at, None
        search = at
        while True:
            found = data.find(delimiter, search)
            if found < 0:
                break
            after = found + len(delimiter)
            if after == len(data):
                return found, None
            if data[after] in b" \t\r\n-":
                return found, after
            search = found + 1
        # The last bytes may be the start of a boundary.
        tail = max(search, len(data) - len(delimiter) + 1)
        while (tail := data.find(delimiter[:1], tail)) >= 0:
            if delimiter.startswith(data[tail:]):
                return tail, None
            tail += 1
        return len(data), None


_FOLDING = re.compile(rb"\r?\n[ \t]+")


def _part_start(block: bytes) -> PartStart:
    for line in _FOLDING.sub(b" ", block).split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon and name.strip().lower() == b"content-disposition":
            disposition, parameters = parse_parameters(
                value.strip().decode("utf-8", "surrogateescape")
            )
            field = parameters.get("name", "") if disposition == "form-data" else ""
            return PartStart(field, parameters.get("filename"))
    return PartStart("", None)


_PARAMETER = re.compile(
    r"""\s*;\s*([!#$%&'*+\-.0-9A-Za-z^_`|~]+)\s*=\s*
    (?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))""",
    re.VERBOSE | re.DOTALL,
)
# A backslash quotes what needs it only: old browsers send paths of Windows with bare ones.
_ESCAPED = re.compile(r'\\([()<>@,;:\\"/\[\]?=])')


def parse_parameters(header: str) -> tuple[str, Mapping[str, str]]:
    """The value of a header like Content-Type, in lower case, and its parameters by name.

    A ``name*`` parameter (RFC 2231) takes the place of the plain one.
    """
    value, _, _ = header.partition(";")
    found: dict[str, str] = {}
    extended: dict[str, str] = {}
    for match in _PARAMETER.finditer(header, len(value)):
        key = match[1].lower()
        text = match[3] if match[2] is None else _ESCAPED.sub(r"\1", match[2])
        if key.endswith("*"):
            charset, _, coded = text.partition("'")
            _, _, coded = coded.partition("'")
            if charset.lower() in ("utf-8", "us-ascii"):
                extended[key[:-1]] = unquote_to_bytes(coded).decode("utf-8", "surrogateescape")
        else:
            found.setdefault(key, text)
    return value.strip().lower(), {**found, **extended}


def _quoted(line: bytes) -> str:
    text = (line + b"\n").decode(errors="replace")
    return '"' + text.replace('"', '\\"').replace("\r", "\\r").replace("\n", "\\n") + '"'
