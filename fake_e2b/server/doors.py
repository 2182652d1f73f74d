"""The listening sockets of a server: opened once, and shut for a while where a test asks for it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from fake_e2b.server.connection import LOGGER

_SETTLING_ROUNDS = 5


class Doors:
    """Where clients come in; used on the server's loop.

    While they are shut the ports stay taken by sockets that are bound and do not listen, so that
    connections are refused and nobody else gets the ports.

    Args:
        sockets: Bound and listening; the list is kept true when they are replaced.
        make_protocol: Makes what speaks with a client.
        backlog: How many may wait to be let in.
    """

    def __init__(
        self,
        sockets: list[socket.socket],
        make_protocol: Callable[[], asyncio.Protocol],
        backlog: int,
    ) -> None:
        self._sockets = sockets
        self._make_protocol = make_protocol
        self._backlog = backlog
        self._servers: list[asyncio.Server] = []
        self._leaving: set[asyncio.Task[None]] = set()
        self._is_shut = False
        self._turn = 0

    async def open(self) -> None:
        """Let clients in."""
        loop = asyncio.get_running_loop()
        turn = self._turn
        for listening in list(self._sockets):
            if turn == self._turn:
                make = self._make_protocol
                server = await loop.create_server(make, sock=listening, backlog=self._backlog)
                if turn == self._turn:
                    self._servers.append(server)
                else:
                    server.close()

    def shut(self) -> None:
        """Refuse connections from now on; those there are stay. Twice is fine."""
        if self._is_shut:
            return
        self._is_shut = True
        self._turn += 1
        leaving, self._servers = self._servers, []
        if self._end_listening():
            # No client may be half accepted when its server is closed: asyncio loses it.
            self._later(_close(leaving))
        else:
            for server in leaving:
                server.close()
        for at, listening in enumerate(self._sockets):
            self._sockets[at] = _bound_like(listening)

    def reopen(self) -> None:
        """Listen again, at the same ports. Twice is fine."""
        if not self._is_shut:
            return
        self._is_shut = False
        self._turn += 1
        for bound in self._sockets:
            bound.listen(self._backlog)
        self._later(self.open())

    async def close(self) -> None:
        """Let nobody in any more, for good."""
        self._turn += 1
        leaving, self._servers = self._servers, []
        self._end_listening()
        await _close(leaving)

    def _end_listening(self) -> bool:
        """Whether it has ended; where the system has no such thing, closing a socket does it."""
        loop = asyncio.get_running_loop()
        ended = True
        for listening in self._sockets:
            loop.remove_reader(listening.fileno())
            # A forked child may hold the socket as well; this ends the listening for all.
            try:
                listening.shutdown(socket.SHUT_RDWR)
            except OSError:
                ended = False
        return ended

    def _later(self, step: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(step)
        self._leaving.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._leaving.discard(task)
        if not task.cancelled() and task.exception() is not None:
            LOGGER.error("a server did not open or close", exc_info=task.exception())


async def _close(servers: list[asyncio.Server]) -> None:
    await settle()
    for server in servers:
        server.close()


async def settle() -> None:
    """Let the loop do what it has already begun: accepted clients, aborted connections."""
    for _ in range(_SETTLING_ROUNDS):
        await asyncio.sleep(0)


def _bound_like(listening: socket.socket) -> socket.socket:
    """A socket at the same address that does not listen: who connects there is refused."""
    address = listening.getsockname()
    bound = socket.socket(listening.family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if listening.family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address[:2])
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound
