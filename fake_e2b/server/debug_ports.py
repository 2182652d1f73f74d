"""The fixed ports of clients with ``E2B_DEBUG=true``, and the one sandbox behind them.

Such a client creates nothing and connects to nothing: it takes ``localhost:3000`` for the API,
``localhost:49983`` for the daemon of whatever sandbox it thinks to have, ``localhost:49999`` for
its code interpreter and ``localhost:<port>`` for every port in it. It sends no token, and
``debug_sandbox_id`` where it names its sandbox.

Facts: debug.ports, debug.one-sandbox
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping

from fake_e2b.backend.admission import HOUR_S, CreateRequest
from fake_e2b.backend.control import ControlBackend
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.ids import SandboxID
from fake_e2b.domain.sandbox import State
from fake_e2b.server import answers
from fake_e2b.server.connection import LOGGER
from fake_e2b.server.host import listen
from fake_e2b.server.streams import App, Receive, Scope, Send
from fake_e2b.wire.host import ENVD_PORT, INTERPRETER_PORT, split_port, uses_headers

API_PORT = 3000
DEBUG_ID = b"debug_sandbox_id"
_TEMPLATE = "code-interpreter-v1"
_ID_HEADER = b"e2b-sandbox-id"
_PORT_HEADER = b"e2b-sandbox-port"


def listen_for_debug(host: str, port: int) -> list[socket.socket]:
    """Sockets at the fixed ports, besides `port`, where the fake listens already.

    Raises:
        UsageError: One of them is taken.
    """
    bound: list[socket.socket] = []
    try:
        for fixed in (API_PORT, ENVD_PORT, INTERPRETER_PORT):
            if fixed != port:
                bound += listen(host, fixed)
    except UsageError as error:
        for listening in bound:
            listening.close()
        raise UsageError(
            f"{error}. Clients with E2B_DEBUG=true know no other port: end what listens there, or "
            "do without debug ports"
        ) from None
    return bound


class DebugSandbox:
    """The sandbox behind the fixed ports: made when it is first needed, and anew when it is gone.

    It runs as long as the service lets a sandbox run, and needs no token.
    """

    def __init__(self, backend: ControlBackend) -> None:
        self._backend = backend
        self._making = asyncio.Lock()
        self._made: SandboxID | None = None

    async def __call__(self) -> SandboxID:
        """The ID of one that runs."""
        async with self._making:
            running = {
                record.sandbox.sandbox_id
                for record in self._backend.sandboxes.records()
                if record.sandbox.state is State.RUNNING
            }
            if self._made is None or self._made not in running:
                team = next(iter(self._backend.teams))
                request = CreateRequest(_TEMPLATE, team.max_length_hours * HOUR_S, secure=False)
                self._made = (await self._backend.sandboxes.create(team, request)).sandbox_id
            return self._made


class DebugPorts:
    """Names the sandbox in requests that come in at a fixed port, or that call it by its debug ID.

    Args:
        app: Gets every request, those with the headers of an ordinary client.
        sandbox: Gives the ID of the sandbox behind the ports.
    """

    def __init__(self, app: App, sandbox: Callable[[], Awaitable[SandboxID]]) -> None:
        self._app = app
        self._sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As the app's."""
        at = scope["server"][1]
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        is_fixed = at in (ENVD_PORT, INTERPRETER_PORT)
        if is_fixed:
            port = b"%d" % at
        elif headers.get(_ID_HEADER) == DEBUG_ID:
            port = headers.get(_PORT_HEADER, b"")
        elif _is_unsigned_file(scope, headers):
            port = b"%d" % ENVD_PORT
        else:
            await self._app(scope, receive, send)
            return
        try:
            sandbox_id = await self._sandbox()
        except Exception as error:
            LOGGER.exception("no sandbox for the debug ports")
            await answers.unforeseen(error)(scope, receive, send)
            return
        named = {_ID_HEADER: sandbox_id.encode(), _PORT_HEADER: port}
        if is_fixed:
            named[b"host"] = b"localhost:%d" % at
        kept = [(name, value) for name, value in scope["headers"] if name not in named]
        await self._app({**scope, "headers": kept + list(named.items())}, receive, send)


def _is_unsigned_file(scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
    """A link to a file that names no sandbox, as debug clients make it where they know one URL."""
    says_whose = (_ID_HEADER, _PORT_HEADER, b"x-access-token")
    name, _ = split_port(headers.get(b"host", b"").decode("latin-1"))
    return (
        scope["path"] == "/files"
        and b"signature" not in scope["query_string"]
        and uses_headers(name)
        and not any(header in headers for header in says_whose)
    )
