"""The server's end of one stub's connection, for a thread of its own: it blocks."""

from __future__ import annotations

import os
import select
import socket
from contextlib import suppress

from fake_e2b.runtime.stubs.program import CALL, DONE, EXIT, PASS, READ, STDERR, STDIN, STDOUT

PIECE = 65536
_HEAD = 5
_NO_SIGNAL = getattr(socket, "MSG_NOSIGNAL", 0)
_LONGEST_CALL = 64 << 20
_LONGEST_WAIT_S = 7 * 24 * 3600.0
_READY = select.POLLIN | select.POLLHUP | select.POLLERR


class CallerGoneError(ConnectionError):
    """The program that called was ended: by a signal, with its sandbox, or with the fake."""

    def __init__(self) -> None:
        super().__init__("the program that called this stub has ended")


class Line:
    """What can be told a stub, and asked.

    Args:
        connection: Blocking; it is closed here.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def called(self) -> tuple[list[bytes], bytes, list[bytes]]:
        """How the program was called: argv, working folder, ``NAME=value`` of its environment.

        Raises:
            CallerGoneError: It has ended.
        """
        kind, data = self._receive()
        fields = data.split(b"\0")
        if kind != CALL or not fields[0].isdigit():
            raise CallerGoneError
        count = int(fields[0])
        return fields[1 : count + 1], fields[count + 1], fields[count + 2 :]

    def write(self, data: bytes | memoryview, *, err: bool = False) -> None:
        """Have it written; waits while those who read do not.

        Raises:
            CallerGoneError: It has ended.
        """
        view = memoryview(data)
        kind = STDERR if err else STDOUT
        while view:
            self._send(kind, bytes(view[:PIECE]))
            view = view[PIECE:]

    def read(self, most: int) -> bytes:
        """What its stdin brings next; nothing at the end.

        Raises:
            CallerGoneError: It has ended.
        """
        self._send(READ, most.to_bytes(4, "big"))
        kind, data = self._receive()
        if kind != STDIN:
            raise CallerGoneError
        return data

    def pass_on(self) -> None:
        """Have the real program take its place.

        Raises:
            CallerGoneError: It has ended.
        """
        self._send(PASS, b"")

    def exit(self, code: int) -> None:
        """Have it exit; returns when it has written all and does so.

        Raises:
            CallerGoneError: It was ended before.
        """
        self._send(EXIT, bytes([code]))
        if self._receive()[0] != DONE:
            raise CallerGoneError

    def is_gone(self, within_s: float = 0.0) -> bool:
        """Whether it ends within that time; between requests it says nothing."""
        wait_ms = max(0.0, min(within_s, _LONGEST_WAIT_S)) * 1000
        poll = select.poll()
        try:
            poll.register(self._connection, select.POLLIN)
        except ValueError:
            return True  # closed
        if not any(events & _READY for _, events in poll.poll(wait_ms)):
            return False
        with suppress(OSError):
            return not self._connection.recv(1, socket.MSG_PEEK)
        return True

    def fileno(self) -> int:
        """To wait for its end with an event loop: it becomes readable."""
        return self._connection.fileno()

    def cut(self) -> None:
        """Make whoever waits here go on, from any thread."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let it go; twice is fine."""
        self._connection.close()

    def _send(self, kind: bytes, data: bytes) -> None:
        try:
            self._connection.sendall(kind + len(data).to_bytes(4, "big") + data, _NO_SIGNAL)
        except OSError as error:
            raise CallerGoneError from error

    def _receive(self) -> tuple[bytes, bytes]:
        head = self._exactly(_HEAD)
        size = int.from_bytes(head[1:], "big")
        if size > _LONGEST_CALL:
            raise CallerGoneError
        return head[:1], self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            try:
                piece = self._connection.recv(min(size - len(data), 1 << 20))
            except OSError as error:
                raise CallerGoneError from error
            if not piece:
                raise CallerGoneError
            data += piece
        return bytes(data)


def texts(fields: list[bytes]) -> tuple[str, ...]:
    """As Python names what the system says."""
    return tuple(map(os.fsdecode, fields))
