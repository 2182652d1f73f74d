"""Frames of Connect streams: a flag byte, a four-byte length, a payload.

`FrameReader` is fed what arrives and gives whole frames; it holds no more than what was really
sent, whatever a length claims.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from fake_e2b.wire.connect import Code, ConnectFailure

COMPRESSED = 0x01
END = 0x02
TRAILERS = 0x80
"""gRPC-Web's mark of the last frame."""

_HEAD = 5


def frame(payload: bytes, flags: int = 0) -> bytes:
    """One frame."""
    return bytes((flags,)) + len(payload).to_bytes(4, "big") + payload


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as it arrived; the payload may be compressed, see `flags`."""

    flags: int
    payload: bytes


class FrameReader:
    """Cuts a body into frames.

    Args:
        max_bytes: The largest payload that is taken.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._ended = False

    def feed(self, data: bytes, *, end: bool) -> None:
        """More of the body; `end` says that nothing follows."""
        self._buffer += data
        self._ended = end

    @property
    def unread(self) -> int:
        """How many bytes were fed and not given out."""
        return len(self._buffer)

    def next_frame(self) -> Frame | None:
        """The next whole frame; None when more must be fed, or when all was read.

        Raises:
            ConnectFailure: The body ends within a frame, or a payload is too large.

        Fact: envd.connect.envelope.truncated
        """
        buffer = self._buffer
        if len(buffer) < _HEAD:
            if self._ended and buffer:
                raise ConnectFailure(
                    Code.INVALID_ARGUMENT, "protocol error: incomplete envelope: unexpected EOF"
                )
            return None
        size = int.from_bytes(buffer[1:_HEAD], "big")
        got = len(buffer) - _HEAD
        if got < size:
            if self._ended:
                raise ConnectFailure(
                    Code.INVALID_ARGUMENT,
                    f"protocol error: promised {size} bytes in enveloped message, got {got} bytes",
                )
            # A body that only claims to be huge is still told what it really held.
            if got > self._max_bytes:
                raise self._too_large(size)
            return None
        if size > self._max_bytes:
            raise self._too_large(size)
        flags = buffer[0]
        with memoryview(buffer) as view:
            payload = bytes(view[_HEAD : _HEAD + size])
        del buffer[: _HEAD + size]
        return Frame(flags, payload)

    def _too_large(self, size: int) -> ConnectFailure:
        return ConnectFailure(
            Code.RESOURCE_EXHAUSTED,
            f"message size {size} is larger than configured max {self._max_bytes}",
        )


def payload_of(received: Frame, *, compression: bool, max_bytes: int) -> bytes:
    """A frame's payload, decompressed if need be.

    Args:
        compression: Whether the request's headers announced gzip.

    Raises:
        ConnectFailure: It is compressed without announcement, no gzip, or too large.
    """
    if not received.flags & COMPRESSED:
        return received.payload
    if not compression:
        raise ConnectFailure(
            Code.INTERNAL, "protocol error: sent compressed message without compression support"
        )
    return gunzip(received.payload, max_bytes) if received.payload else b""


def gzip(data: bytes) -> bytes:
    """`data` as one gzip member, at the speed that suits short messages."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def gunzip(data: bytes, max_bytes: int) -> bytes:
    """What a gzip body holds; never more than `max_bytes` are unpacked.

    Raises:
        ConnectFailure: `data` is no gzip, is cut, or holds more than `max_bytes`.
    """
    out = bytearray()
    rest = data
    while rest:
        unpacker = zlib.decompressobj(31)
        try:
            out += unpacker.decompress(rest, max_bytes - len(out) + 1)
        except zlib.error:
            raise ConnectFailure(
                Code.INVALID_ARGUMENT, "decompress: gzip: invalid header"
            ) from None
        if len(out) > max_bytes:
            raise ConnectFailure(
                Code.RESOURCE_EXHAUSTED,
                f"message size is larger than configured max {max_bytes}",
            )
        if not unpacker.eof:
            raise ConnectFailure(Code.INVALID_ARGUMENT, "decompress: unexpected EOF")
        rest = unpacker.unused_data
    return bytes(out)
