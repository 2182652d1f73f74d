"""Cuts the body of an answer into its frames, whatever pieces it comes in."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import StrEnum

_HEAD = 5
_END_OF_EVENT = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_SMALL_LENGTH = 125
_LENGTH_BYTES = {126: 2, 127: 8}
_MASKED = 0x80


class FrameKind(StrEnum):
    """What a frame of an answer is."""

    ENVELOPE = "a message in its envelope"
    LINE = "a line"
    EVENT = "a server-sent event"
    WEB_SOCKET = "a frame of a WebSocket"
    PIECE = "a piece of the body, as it comes"


def frame_kind(operation: str, content_type: str, *, has_length: bool) -> FrameKind:
    """What the frames of an answer are, by what it says of itself; refusals tell their length."""
    name = content_type.partition(";")[0].strip().lower()
    if name.startswith(("application/connect+", "application/grpc-web")):
        return FrameKind.ENVELOPE
    if operation == "execute" and not has_length:
        return FrameKind.LINE
    return FrameKind.EVENT if name == "text/event-stream" else FrameKind.PIECE


class FrameCutter:
    """Is fed the body and gives whole frames."""

    def __init__(self, kind: FrameKind) -> None:
        self.kind = kind
        self._find_end = _FINDERS[kind]
        self._rest = b""

    def feed(self, data: bytes, *, end: bool) -> Sequence[bytes]:
        """The frames that are whole now; at the `end` also what is left."""
        if not self._rest and data and self._find_end(data) == len(data):
            return (data,)
        unread, frames = self._rest + data, []
        while unread and (size := self._find_end(unread)):
            frames.append(unread[:size])
            unread = unread[size:]
        if end and unread:
            frames.append(unread)
            unread = b""
        self._rest = unread
        return frames


def _envelope(data: bytes) -> int:
    if len(data) < _HEAD:
        return 0
    size = _HEAD + int.from_bytes(data[1:_HEAD], "big")
    return size if size <= len(data) else 0


def _line(data: bytes) -> int:
    return data.find(b"\n") + 1


def _event(data: bytes) -> int:
    found = _END_OF_EVENT.search(data)
    return found.end() if found else 0


def _web_socket(data: bytes) -> int:
    if len(data) < 2:
        return 0
    length, head = data[1] & ~_MASKED, 2
    if length > _SMALL_LENGTH:
        head += _LENGTH_BYTES[length]
        if len(data) < head:
            return 0
        length = int.from_bytes(data[2:head], "big")
    if data[1] & _MASKED:
        head += 4
    return head + length if head + length <= len(data) else 0


_FINDERS: dict[FrameKind, Callable[[bytes], int]] = {
    FrameKind.ENVELOPE: _envelope,
    FrameKind.LINE: _line,
    FrameKind.EVENT: _event,
    FrameKind.WEB_SOCKET: _web_socket,
    FrameKind.PIECE: len,
}
"""Each finds where the first frame ends; 0 when it is not whole yet."""
