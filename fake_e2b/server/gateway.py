"""The ASGI app of one fake: sends each request to its plane and answers what no plane does."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from email.utils import formatdate
from typing import Any, Protocol

from starlette.responses import Response

from fake_e2b.admin.recorder import Recorder, identify, leave_traceback, record_of
from fake_e2b.backend.fates import Fates
from fake_e2b.backend.journal import Journal
from fake_e2b.backend.machine import Machine
from fake_e2b.backend.rates import Rates
from fake_e2b.data_plane.target import SCOPE_KEY, Target
from fake_e2b.domain.clock import SECOND_NS, Clock
from fake_e2b.domain.control_errors import ProxyError, ProxyKind
from fake_e2b.domain.errors import GapError
from fake_e2b.domain.ids import SandboxID
from fake_e2b.domain.sandbox import Sandbox
from fake_e2b.domain.steering.asked import Asked as Request
from fake_e2b.server import answers
from fake_e2b.server.builder.uploads import PREFIX as UPLOADS
from fake_e2b.server.connection import LOGGER
from fake_e2b.server.dispatch import Asked, Index, Own, is_reserved, route
from fake_e2b.server.steering.error_bodies import error_body
from fake_e2b.server.steering.layer import Steering
from fake_e2b.server.steering.sandbox_acts import INSIDE_KEY, outlasts
from fake_e2b.server.streams import App, OpenRequests, Receive, Scope, Send, break_connection
from fake_e2b.wire.control_errors import OVER_RATE
from fake_e2b.wire.host import ENVD_PORT, INTERPRETER_PORT, Destination, RoutingError
from fake_e2b.wire.proxy_errors import TOKEN_HEADER
from fake_e2b.wire.request_line import refusal


class Entrance(Protocol):
    """The way into sandboxes, see `fake_e2b.backend.sandboxes.Sandboxes.enter`."""

    async def enter(
        self,
        sandbox_id: SandboxID,
        *,
        port: int,
        access_token: str | None,
        traffic_token: str | None,
    ) -> tuple[Sandbox, Machine]: ...


class Planes:
    """The apps that requests end in; each is an ASGI app of its own."""

    def __init__(
        self,
        *,
        control: App,
        admin: App,
        envd: App,
        interpreter: App,
        proxy: App,
        uploads: App,
    ) -> None:
        self.control = control
        self.admin = admin
        self.envd = envd
        self.interpreter = interpreter
        self.proxy = proxy
        self.uploads = uploads


class Gateway:
    """Every request passes here, each in a task of its own.

    Args:
        any_host, domain: See `fake_e2b.server.dispatch.route`.
        max_connections: Into one sandbox at once; None for any number.
    """

    def __init__(
        self,
        planes: Planes,
        *,
        entrance: Entrance,
        index: Index,
        open_requests: OpenRequests,
        journal: Journal,
        clock: Clock,
        steering: Steering,
        fates: Fates,
        rates: Rates,
        any_host: bool = False,
        max_connections: int | None = None,
        domain: str = "localhost",
    ) -> None:
        self._planes = planes
        self._entrance = entrance
        self._index = index
        self._open = open_requests
        self._recorded = Recorder(self._dispatch, journal)
        self._clock = clock
        self._steering = steering
        self._fates = fates
        self._rates = rates
        self._any_host = any_host
        self._max_connections = max_connections
        self._domain = domain
        self._date = (-1, b"")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; nothing but a broken connection comes out of here."""
        started = False

        async def answer(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._add_date(message, scope)
            await send(message)

        try:
            await self._serve(scope, receive, answer)
        except asyncio.CancelledError:
            # The server stops: whatever was half said must not look complete.
            await break_connection(scope)
        except Exception as error:
            LOGGER.exception("%s %s failed", scope["method"], scope["path"])
            if started:
                await break_connection(scope)
            else:
                await answers.unforeseen(error)(scope, receive, answer)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        _take_absolute_target(scope)
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        refused = refusal(scope["method"], scope["raw_path"], scope["http_version"], host)
        if refused is not None:
            await answers.malformed(*refused)(scope, receive, send)
            return
        if scope["path"].startswith("/_fake") and self._where(scope) is Own.ADMIN:
            is_upload = scope["path"].startswith(UPLOADS)
            plane = self._planes.uploads if is_upload else self._planes.admin
            await plane(scope, receive, send)
        else:
            await self._recorded(scope, receive, send)

    def _where(self, scope: Scope) -> Own | Destination | RoutingError:
        """Where it goes, asked once and remembered in the scope."""
        if "fake_e2b.route" not in scope:
            # Of a header that comes twice the first counts, as in the service's HTTP library.
            headers = {
                name.decode("latin-1"): value.decode("latin-1")
                for name, value in reversed(scope["headers"])
            }
            asked = Asked(
                scope["method"], scope["path"], scope["query_string"].decode("latin-1"), headers
            )
            scope["fake_e2b.headers"] = headers
            try:
                scope["fake_e2b.route"] = route(
                    asked, self._index, any_host=self._any_host, domain=self._domain
                )
            except RoutingError as error:
                scope["fake_e2b.route"] = error
        found: Own | Destination | RoutingError = scope["fake_e2b.route"]
        return found

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        where = self._where(scope)
        port = None
        if isinstance(where, Destination):
            port = where.port
            identify(scope, sandbox_id=where.sandbox_id, port=port)
        elif where is Own.CONTROL:
            identify(scope)
        record = record_of(scope)
        if record is None or not self._steering.rules:
            await self._answer(scope, receive, send)
        else:
            await self._steering.serve(
                self._answer,
                scope,
                receive,
                send,
                operation=record.operation,
                sandbox_id=record.sandbox_id,
                port=port,
            )

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the plane answer, or say why none does."""
        where = self._where(scope)
        response: Response
        try:
            if isinstance(where, RoutingError):
                raise where
            if isinstance(where, Destination):
                address = (scope.get("client") or ("",))[0]
                allowance = self._rates.traffic(address)
                if allowance is not None and allowance.over:
                    refused = self._over_rate(where, allowance.reset_s, scope)
                    await refused(scope, receive, send)
                    return
                await self._into_sandbox(where, scope, receive, send)
            elif where is Own.CONTROL:
                await self._planes.control(scope, receive, send)
            elif where is Own.NO_SIGNER:
                await answers.no_signer()(scope, receive, send)
            else:
                await self._planes.admin(scope, receive, send)
            return
        except (ProxyError, RoutingError) as error:
            if isinstance(error, ProxyError):
                self._fates.refused(error)
            response = answers.refused(error, scope["fake_e2b.headers"])
        except GapError as error:
            leave_traceback(scope, error)
            response = answers.gap(error)
        await response(scope, receive, send)

    def _over_rate(self, where: Destination, reset_s: int, scope: Scope) -> Response:
        """What stands in front of the sandboxes says to an address that asks too fast."""
        record = record_of(scope)
        asked = Request(
            operation="port" if record is None else record.operation,
            method=scope["method"],
            path=scope["path"],
            headers={},
            at_ns=self._clock.now_ns(),
            sandbox_id=where.sandbox_id,
            port=where.port,
        )
        return answers.over_rate(error_body(asked, 429, OVER_RATE), reset_s)

    async def _into_sandbox(
        self, where: Destination, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Sandbox, token, reserved path, limit, port: as the real proxy's order shows.

        Facts: proxy.order, proxy.limit
        """
        if where.port != ENVD_PORT and (connection := scope.get("fake_e2b.connection")):
            connection.hear_out()
        headers = scope["fake_e2b.headers"]
        sandbox, machine = await self._entrance.enter(
            SandboxID(where.sandbox_id),
            port=where.port,
            access_token=headers.get("x-access-token"),
            traffic_token=headers.get(TOKEN_HEADER),
        )
        scope[SCOPE_KEY] = Target(sandbox, machine, where.port)
        limit = self._max_connections
        app = self._planes.proxy
        if where.port == ENVD_PORT:
            if is_reserved(scope["path"]):
                raise ProxyError(ProxyKind.RESERVED_PATH, path=scope["path"])
            app = self._planes.envd
        elif where.port == INTERPRETER_PORT and machine.interpreter is not None:
            app = self._planes.interpreter
        if limit is not None and self._open.count(where.sandbox_id) >= limit:
            raise ProxyError(ProxyKind.CONNECTION_LIMIT, sandbox_id=where.sandbox_id, limit=limit)
        app = self._hindered(app, sandbox.sandbox_id, scope)
        await self._open.run(where.sandbox_id, app, scope, receive, send)

    def _hindered(self, app: App, sandbox_id: SandboxID, scope: Scope) -> App:
        """The same, once all that stands in the way of a request inside its sandbox has gone."""
        hindrances = scope.get(INSIDE_KEY, ())
        frozen = self._fates.frozen(sandbox_id)
        if frozen is not None:
            hindrances = (lambda: outlasts(frozen, scope), *hindrances)
        if not hindrances:
            return app

        async def run(scope: Scope, receive: Receive, send: Send) -> None:
            for each in hindrances:
                if not await each():
                    return
            await app(scope, receive, send)

        return run

    def _add_date(self, message: MutableMapping[str, Any], scope: Scope) -> None:
        """As the service's HTTP library: a date, unless the answer brought one.

        In answers of a sandbox it is by the sandbox's clock.
        """
        headers = list(message.get("headers", ()))
        if all(name.lower() != b"date" for name, _ in headers):
            target = scope.get(SCOPE_KEY)
            skew_ns = 0 if target is None else self._fates.skew_ns(target.sandbox.sandbox_id)
            second = (self._clock.now_ns() + skew_ns) // SECOND_NS
            if second != self._date[0]:
                self._date = (second, formatdate(second, usegmt=True).encode())
            headers.append((b"date", self._date[1]))
            message["headers"] = headers


def _take_absolute_target(scope: Scope) -> None:
    """Read ``GET http://host/path``: what a client sends that takes us for its HTTP proxy."""
    raw: bytes = scope["raw_path"]
    scheme, separator, rest = raw.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        return
    host, _, path = rest.partition(b"/")
    scope["raw_path"] = b"/" + path
    scope["path"] = "/" + scope["path"].partition("://")[2].partition("/")[2]
    scope["headers"] = [
        (b"host", host),
        *((name, value) for name, value in scope["headers"] if name != b"host"),
    ]
