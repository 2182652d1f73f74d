"""A stream socket on the server's event loop, read and written without tasks."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

_CHUNK_BYTES = 256 * 1024


class Link:
    """One end of a socket pair.

    Args:
        sock: Taken over, and closed by `close`.
        on_data: Called with each piece that arrives, then once with ``b""`` at the end.
    """

    def __init__(self, sock: socket.socket, on_data: Callable[[bytes], None]) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._on_data = on_data
        self._loop = asyncio.get_running_loop()
        self._unsent = bytearray()
        self._open = True
        self._reading = False
        self.resume()

    def send(self, data: bytes) -> None:
        """Send all of `data`, now or when there is room; nothing happens after the end."""
        if not self._open:
            return
        if not self._unsent:
            with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                data = data[self._sock.send(data) :]
        if data:
            if not self._unsent:
                self._loop.add_writer(self._sock, self._send_rest)
            self._unsent += data

    def pause(self) -> None:
        """Read nothing until `resume`: the other side has to wait."""
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._sock)

    def resume(self) -> None:
        """Read again."""
        if self._open and not self._reading:
            self._reading = True
            self._loop.add_reader(self._sock, self._read)

    def finish(self) -> None:
        """Read what is there now, then end as if the other side had closed."""
        while self._open:
            try:
                data = self._sock.recv(_CHUNK_BYTES)
            except OSError:
                data = b""
            self._take(data)

    def close(self) -> None:
        """Close it without a word to `on_data`; twice is fine."""
        if self._open:
            self.pause()
            self._loop.remove_writer(self._sock)
            self._open = False
            self._sock.close()

    def _read(self) -> None:
        try:
            data = self._sock.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._take(data)

    def _take(self, data: bytes) -> None:
        if not data:
            self.close()
        self._on_data(data)

    def _send_rest(self) -> None:
        try:
            del self._unsent[: self._sock.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError:
            self._unsent.clear()  # reading finds the end
        if not self._unsent:
            self._loop.remove_writer(self._sock)
