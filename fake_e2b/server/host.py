"""The server thread: sockets, event loop, start and stop, nothing about E2B.

One `ServerThread` serves one ASGI app from a daemon thread. Start and stop are driven by events,
never by polling; a stop breaks what is still open instead of waiting for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import os
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from uvicorn.config import Config
from uvicorn.server import ServerState

from fake_e2b.domain.errors import UsageError
from fake_e2b.server.connection import LOGGER, Connection
from fake_e2b.server.doorman import Doorman
from fake_e2b.server.doors import Doors, settle

Result = TypeVar("Result")

_BACKLOG = 2048
_MAX_HEAD_BYTES = 1 << 20
"""Request line and headers; the service's HTTP library has the same limit."""
_KEEP_ALIVE_S = 620
"""How long an idle client connection is kept. Fact: proxy.keep-alive.idle"""
_CANCEL_GRACE_S = 2.0
_PORT_TRIES = 16


def is_loopback(host: str) -> bool:
    """Whether listening on `host` keeps other machines out."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int, *, allow_remote: bool = False) -> list[socket.socket]:
    """Bound listening sockets, IPv4 first; port 0 takes a free one.

    ``127.0.0.1`` and ``localhost`` listen on ``::1`` too where the machine has it, because
    resolvers that know ``*.localhost`` name it first.

    Raises:
        UsageError: `host` is reachable from other machines and `allow_remote` is False, or it is
            no address of this machine, or the port is taken.
    """
    if not is_loopback(host) and not allow_remote:
        raise UsageError(
            f"refusing to listen on {host}: whoever reaches the fake can run commands on this "
            "machine. Use 127.0.0.1, or say allow_remote=True (command line: --allow-remote)"
        )
    both = host in ("127.0.0.1", "localhost")
    for _ in range(_PORT_TRIES):
        first = _bind("127.0.0.1" if both else host, port)
        if not both or not socket.has_ipv6:
            return [first]
        try:
            return [first, _bind("::1", first.getsockname()[1])]
        except UsageError as error:
            cause = error.__cause__
            if not (isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE):
                return [first]
            first.close()
            if port:
                raise
    raise UsageError("found no port that is free on both 127.0.0.1 and ::1")


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sets TCP_NODELAY on what it accepts; without, each small
    # answer waits 40 ms for the client's delayed ACK.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((host, port))
        bound.listen(_BACKLOG)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise UsageError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    return bound


class ServerThread:
    """One ASGI app on its own thread and event loop.

    Args:
        app: The ASGI app; it sees HTTP scopes only.
        service: Entered on the server's loop before the first request, left after the last.
        sockets: From `listen`; closed by `stop`.
        tls: Given one, the port takes TLS besides plain HTTP.
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        service: AbstractAsyncContextManager[object],
        sockets: list[socket.socket],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.port: int = sockets[0].getsockname()[1]
        self._app = app
        self._service = service
        self._sockets = sockets
        self._tls = tls
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._doors: Doors | None = None
        self._send_idle_away: Callable[[], None] = _nothing
        self._owner_pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="fake-e2b", daemon=True)

    def start(self) -> None:
        """Return once the first request can be answered; a failure to start is raised here."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self) -> None:
        """Break open connections, leave the service, end the thread. Twice is fine.

        A failure while the service was left is raised here. In a forked child, where the thread
        does not exist, only the child's copies of the sockets are closed.
        """
        if os.getpid() != self._owner_pid:
            for listening in self._sockets:
                listening.close()
            return
        if self._thread.is_alive() and self._loop is not None and self._stop is not None:
            # The loop may end by itself between the check and the call.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def call(self, operation: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Run a coroutine on the server's loop and wait for its result, from any other thread.

        Raises:
            UsageError: The server does not run, or this is its own thread.
        """
        return self.begin(operation).result()

    def begin(self, operation: Callable[[], Coroutine[Any, Any, Result]]) -> Future[Result]:
        """The same without waiting.

        Raises:
            UsageError: The server does not run, or this is its own thread.
        """
        if self._loop is None or not self._thread.is_alive() or os.getpid() != self._owner_pid:
            raise UsageError("this fake is not running; use it between start() and stop()")
        if threading.current_thread() is self._thread:
            raise UsageError("the fake's own thread cannot wait for itself")
        return asyncio.run_coroutine_threadsafe(operation(), self._loop)

    def refuse(self) -> None:
        """Refuse connections, and close those that wait for a request; on the server's loop."""
        assert self._doors is not None
        self._doors.shut()
        self._send_idle_away()

    def take_again(self) -> None:
        """Take connections again; on the server's loop."""
        assert self._doors is not None
        self._doors.reopen()

    def _run(self) -> None:
        try:
            # A loop of this kind whatever policy the program has set: the runtime needs add_reader.
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(self._serve())
        except BaseException as failure:
            self._failure = failure
        finally:
            for listening in self._sockets:
                listening.close()
            self._ready.set()

    async def _serve(self) -> None:
        loop = self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        config = Config(
            self._app,
            loop="none",
            http=Connection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
        )
        config.load()
        state = ServerState()

        def make_connection() -> asyncio.Protocol:
            return Connection(config, state, {}, loop)

        tls = self._tls
        inside: set[asyncio.Transport] = set()

        def make_doorman() -> asyncio.Protocol:
            assert tls is not None
            return Doorman(make_connection, tls, loop, inside)

        make_protocol = make_connection if tls is None else make_doorman
        doors = self._doors = Doors(self._sockets, make_protocol, _BACKLOG)

        def send_idle_away() -> None:
            for connection in list(state.connections):
                if isinstance(connection, Connection) and connection.is_idle:
                    connection.transport.close()
            for transport in list(inside):
                transport.abort()

        self._send_idle_away = send_idle_away
        async with self._service:
            await doors.open()
            self._ready.set()
            await self._stop.wait()
            await doors.close()
            await self._break_connections(state, inside)

    @staticmethod
    async def _break_connections(state: ServerState, inside: set[asyncio.Transport]) -> None:
        for connection in list(state.connections):
            connection.transport.abort()
        for transport in list(inside):
            transport.abort()
        tasks = list(state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            _, stuck = await asyncio.wait(tasks, timeout=_CANCEL_GRACE_S)
            for task in stuck:
                LOGGER.error("a request did not end when the server stopped: %r", task)
        await settle()


def _nothing() -> None:
    """Nobody is there before the start."""
