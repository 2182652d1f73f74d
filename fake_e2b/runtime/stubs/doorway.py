"""Where the stubs of one guest reach the server: a listening socket on the server's loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

_BACKLOG = 4096
_PAUSE_S = 0.05


class Doorway:
    """Hands each connection that arrives to `answer`, whose it is from then on.

    Args:
        listener: Bound and listening, non-blocking; it is closed here.
    """

    def __init__(self, listener: socket.socket, answer: Callable[[int], None]) -> None:
        self._listener = listener
        self._answer = answer
        self._loop = asyncio.get_running_loop()
        self._again: asyncio.TimerHandle | None = None
        self._loop.add_reader(listener, self._accept)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError:
                # No descriptor to spare: those who knock wait.
                self._loop.remove_reader(self._listener)
                self._again = self._loop.call_later(_PAUSE_S, self._resume)
                return
            connection.setblocking(True)
            self._answer(connection.detach())

    def _resume(self) -> None:
        self._loop.add_reader(self._listener, self._accept)

    def close(self) -> None:
        """Let nobody in any more; twice is fine."""
        if self._listener.fileno() < 0:
            return
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()


def listen_at(listener: socket.socket, address: str) -> socket.socket:
    """Make a fresh socket listen, non-blocking.

    Raises:
        OSError: The name is taken; the socket is closed.
    """
    try:
        listener.setblocking(False)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except BaseException:
        with suppress(OSError):
            listener.close()
        raise
    return listener
