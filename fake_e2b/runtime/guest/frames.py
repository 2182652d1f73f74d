"""Messages with file descriptors over a stream socket, for both ends.

A frame is `length (4 bytes, big endian) | number of descriptors (1 byte) | JSON`. Descriptors ride
on the frame's first bytes (`SCM_RIGHTS`), so they have always arrived when the frame is complete,
in the order of the frames. A stream has no limit on the size of a message, which datagrams have:
a command line may be megabytes long.
"""

from __future__ import annotations

import array
import errno
import json
import os
import socket
import struct
from collections import deque
from collections.abc import Iterator, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Message = dict[str, Any]
else:
    Message = dict

_NO_ROOM: Message = {"errno": errno.EMFILE}
_HEADER = struct.Struct("!IB")
_MAX_FDS = 16
_FD_SIZE = array.array("i").itemsize
_RIGHTS_SIZE = socket.CMSG_LEN(_MAX_FDS * _FD_SIZE)
# Python's own `recv_fds` does not pass its flags on. macOS has no such flag.
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
READ_SIZE = 65536
_LONGEST = 64 << 20
"""Bytes; a command line of the kernel's longest is a tenth of it."""


def pack(message: Message, fd_count: int = 0) -> bytes:
    """One frame as bytes; the descriptors go beside it."""
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    return _HEADER.pack(len(body), fd_count) + body


def send_some(sock: socket.socket, data: bytes | memoryview, fds: Sequence[int] = ()) -> int:
    """Send what the socket takes, at least one byte; `fds` go with the first."""
    if not fds:
        return sock.send(data)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
    return sock.sendmsg([data], rights)


def send(sock: socket.socket, message: Message, fds: Sequence[int] = ()) -> None:
    """Send a whole frame on a blocking socket."""
    data = memoryview(pack(message, len(fds)))
    sent = send_some(sock, data, fds)
    if sent < len(data):
        sock.sendall(data[sent:])


class FrameReader:
    """Turns what a stream brings into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        # None: the kernel had no room for the rest of a frame's.
        self._fds: deque[int | None] = deque()

    def read(self, sock: socket.socket) -> bool:
        """Take in what has arrived; False at the end of the stream.

        Raises:
            BlockingIOError: Nothing has arrived on a non-blocking socket.
        """
        try:
            data, rights, flags, _ = sock.recvmsg(READ_SIZE, _RIGHTS_SIZE, _CLOSE_ON_EXEC)
        except ConnectionError:
            return False
        for _level, _type, packed in rights:
            fds = array.array("i", packed[: len(packed) - len(packed) % _FD_SIZE])
            if not _CLOSE_ON_EXEC:
                for fd in fds:
                    os.set_inheritable(fd, False)
            self._fds.extend(fds)
        if flags & socket.MSG_CTRUNC:
            self._fds.append(None)
        self._buffer += data
        return bool(data)

    def frames(self) -> Iterator[tuple[Message, list[int]]]:
        """The complete frames; the descriptors are the caller's to close.

        A frame whose descriptors did not all arrive brings none, and `errno` EMFILE.

        Raises:
            ValueError, IndexError: The other side does not speak in frames.
        """
        while len(self._buffer) >= _HEADER.size:
            length, fd_count = _HEADER.unpack_from(self._buffer)
            if length > _LONGEST:
                raise ValueError(f"a frame of {length} bytes")
            end = _HEADER.size + length
            if len(self._buffer) < end:
                return
            message = json.loads(self._buffer[_HEADER.size : end])
            del self._buffer[:end]
            fds = self._take(fd_count)
            yield (message, fds) if len(fds) == fd_count else (message | _NO_ROOM, [])

    def _take(self, count: int) -> list[int]:
        fds: list[int] = []
        while len(fds) < count:
            fd = self._fds.popleft()
            if fd is None:
                for each in fds:
                    os.close(each)
                return []
            fds.append(fd)
        return fds

    def close(self) -> None:
        """Close the descriptors nobody took."""
        while self._fds:
            if (fd := self._fds.popleft()) is not None:
                os.close(fd)
