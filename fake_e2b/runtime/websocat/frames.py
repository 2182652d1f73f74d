"""WebSocket frames (RFC 6455): bytes in, events out, no I/O.

Data comes out in the pieces in which it arrives, so a message of any size costs no memory.
"""

from __future__ import annotations

import codecs
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

_FINAL, _RESERVED, _OPCODE = 0x80, 0x70, 0x0F
_MASKED, _LENGTH = 0x80, 0x7F
_LONGEST_CONTROL = 125
NORMAL, GOING_AWAY, PROTOCOL_ERROR, NO_STATUS, BAD_TEXT, INTERNAL = (
    1000,
    1001,
    1002,
    1005,
    1007,
    1011,
)


class Opcode(IntEnum):
    """Kinds of frames."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


_OPCODES = frozenset(Opcode)


class ProtocolError(Exception):
    """The peer broke the protocol; `code` is the status to close with."""

    def __init__(self, text: str, code: int = PROTOCOL_ERROR) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Data:
    """A piece of a message; the piece that completes it may be empty."""

    payload: bytes
    complete: bool
    text: bool


@dataclass(frozen=True)
class Control:
    """A ping, a pong or a close."""

    opcode: Opcode
    payload: bytes

    def status(self) -> tuple[int, str]:
        """Code and reason of a close."""
        if not self.payload:
            return NO_STATUS, ""
        (code,) = struct.unpack("!H", self.payload[:2])
        return code, self.payload[2:].decode("utf-8", "replace")


def mask(payload: bytes, key: bytes, start: int = 0) -> bytes:
    """The payload XOR the key repeated; its own inverse.

    Args:
        start: How many bytes of the frame came before.
    """
    size = len(payload)
    if not size:
        return b""
    turn = start % 4
    pad = ((key[turn:] + key[:turn]) * (size // 4 + 1))[:size]
    # One operation on one long number: a loop over bytes would be a hundred times slower.
    number = int.from_bytes(payload, "little") ^ int.from_bytes(pad, "little")
    return number.to_bytes(size, "little")


def encode(opcode: int, payload: bytes, *, masked: bool, final: bool = True) -> bytes:
    """One frame. Clients mask, servers do not."""
    first = (_FINAL if final else 0) | opcode
    size, flag = len(payload), _MASKED if masked else 0
    if size <= _LONGEST_CONTROL:
        head = struct.pack("!BB", first, flag | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", first, flag | 126, size)
    else:
        head = struct.pack("!BBQ", first, flag | 127, size)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + mask(payload, key)


def close_payload(code: int, reason: str = "") -> bytes:
    """The payload of a close frame."""
    text = reason.encode()[: _LONGEST_CONTROL - 2]
    return struct.pack("!H", code) + text.decode("utf-8", "ignore").encode()


class Decoder:
    """Takes frames apart.

    Args:
        masked: Whether the peer is a client, whose frames must be masked.
    """

    def __init__(self, *, masked: bool) -> None:
        self._masked = masked
        self._buffer = bytearray()
        self._opcode = 0
        self._final = True
        self._left = 0  # of the present data frame
        self._done = 0
        self._key = b""
        self._within: int | None = None  # the kind of the message that is not complete yet
        self._checker = codecs.getincrementaldecoder("utf-8")()

    def feed(self, data: bytes) -> Iterator[Data | Control]:
        """What `data` completes.

        Raises:
            ProtocolError: The peer broke the protocol; nothing more can be read.
        """
        self._buffer += data
        while True:
            if self._left:
                if not self._buffer:
                    return
                yield self._piece()
            else:
                event = self._next_frame()
                if event is None:
                    return
                if event is not _BEGUN:
                    yield event

    def _piece(self) -> Data:
        taken = bytes(self._buffer[: self._left])
        del self._buffer[: len(taken)]
        payload = mask(taken, self._key, self._done) if self._masked else taken
        self._left -= len(taken)
        self._done += len(taken)
        return self._data(payload, complete=self._final and not self._left)

    def _data(self, payload: bytes, *, complete: bool) -> Data:
        text = self._within == Opcode.TEXT
        if text:
            try:
                self._checker.decode(payload, final=complete)
            except UnicodeDecodeError as error:
                raise ProtocolError("text that is not UTF-8", BAD_TEXT) from error
        if complete:
            self._within = None
            self._checker.reset()
        return Data(payload, complete, text)

    def _next_frame(self) -> Data | Control | None:
        """The next control or empty frame; `_BEGUN` when a data frame begins."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, at = buffer[1] & _LENGTH, 2
        if size >= 126:
            at = 4 if size == 126 else 10
            if len(buffer) < at:
                return None
            size = int.from_bytes(buffer[2:at], "big")
        key_at = at
        at += 4 if self._masked else 0
        control = buffer[0] & 0x08
        self._check_head(buffer[0], buffer[1], size, bool(control))
        if len(buffer) < at + (size if control else 0):
            return None
        opcode, final = buffer[0] & _OPCODE, bool(buffer[0] & _FINAL)
        self._key = bytes(buffer[key_at:at])
        del buffer[:at]
        if control:
            payload = bytes(buffer[:size])
            del buffer[:size]
            return self._control(opcode, mask(payload, self._key) if self._masked else payload)
        if opcode != Opcode.CONTINUATION:
            self._within = opcode
        self._final, self._left, self._done = final, size, 0
        return _BEGUN if size else self._data(b"", complete=final)

    def _check_head(self, first: int, second: int, size: int, control: bool) -> None:
        opcode = first & _OPCODE
        if first & _RESERVED:
            raise ProtocolError("reserved bits are set")
        if opcode not in _OPCODES:
            raise ProtocolError(f"unknown opcode {opcode}")
        if bool(second & _MASKED) != self._masked:
            raise ProtocolError("a client must mask, a server must not")
        if size >> 63:
            raise ProtocolError("a length of more than 63 bits")
        if control and (size > _LONGEST_CONTROL or not first & _FINAL):
            raise ProtocolError("a control frame that is long or in parts")
        if not control and (opcode == Opcode.CONTINUATION) != (self._within is not None):
            raise ProtocolError("a message's frames are out of order")

    def _control(self, opcode: int, payload: bytes) -> Control:
        if opcode == Opcode.CLOSE and len(payload) == 1:
            raise ProtocolError("half a status")
        return Control(Opcode(opcode), payload)


_BEGUN = Data(b"", complete=False, text=False)
