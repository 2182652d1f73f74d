"""Ports that programs in a sandbox opened: an HTTP/1.1 reverse proxy over `Guest.dial`.

Bodies stream both ways in pieces, so their size does not matter. Each request uses a connection
of its own. After a 101 the two connections are joined byte for byte, whatever is spoken on them.

Under the `local` runtime a sandbox's ports are the machine's own loopback ports: what a request
can reach there is whatever listens on 127.0.0.1. `isolated` sandboxes have ports of their own.

Ports named in the sandbox's `network.httpsPorts` are spoken to over TLS, certificates unseen.

Facts: proxy.port.retries, proxy.port.closed, proxy.port.streams, proxy.port.upgrade,
proxy.port.broken-answer, proxy.port.https, proxy.port.trailers
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import h11

from fake_e2b.data_plane.target import Target, target_of
from fake_e2b.domain.control_errors import ProxyError, ProxyKind
from fake_e2b.domain.ports import Guest
from fake_e2b.wire import forwarding
from fake_e2b.wire.host import Destination

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

Shape = Callable[[bytes, Callable[[bytes], None]], Awaitable[None]]
"""``async (data, write)``: writes what it is given, changed or not."""
TUNNEL_KEY = "fake_e2b.tunnel"
"""In a scope: a `Shape` for what the service says after a 101."""
UPWARDS_KEY = "fake_e2b.tunnel_upwards"
"""The same for what the client says then."""

_WAITS_S = (0.1, 0.2, 0.3, 0.4)
"""Between the five attempts to connect: a server that was just started may not listen yet."""
_HIGHEST_PORT = 65535
_READ = 1 << 18
_DIAL_S = 30
"""For one attempt to connect."""
_MAX_HEAD_BYTES = 10 << 20
"""Of an answer."""
_MOST_INTERIM = 1000
"""Answers before the final one: they are passed on without waiting for the client to read."""
_SWITCHING = 101
_CONTINUE = 100


class ClientConnection(Protocol):
    """The client's side as the server hands it over, see `fake_e2b.server.connection`."""

    lost: asyncio.Event

    def abort(self) -> None: ...
    def inform(self, status: int, headers: Sequence[forwarding.Header]) -> None: ...
    def trail(self, trailers: Sequence[forwarding.Header]) -> None: ...
    def switch(
        self, headers: Sequence[forwarding.Header]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]: ...


async def proxy_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Pass one HTTP request to the port that the scope's target names.

    Raises:
        ProxyError: PORT_CLOSED: nothing listens there, or it closed without an answer.
    """
    target = target_of(scope)
    requested = _requested_host(scope)
    network = target.sandbox.network or {}
    mask = network.get("maskRequestHost")
    destination = Destination(target.sandbox.sandbox_id, target.port)
    host, masked_from = forwarding.seen_host(
        requested, destination, mask if isinstance(mask, str) else None
    )
    closed = ProxyError(
        ProxyKind.PORT_CLOSED, sandbox_id=destination.sandbox_id, port=target.port, host=host
    )
    request = h11.Request(
        method=scope["method"],
        target=forwarding.target(
            scope["raw_path"],
            scope["query_string"],
            bare=scope.get("fake_e2b.raw_target", b"").endswith(b"?"),
        ),
        headers=forwarding.request_headers(
            scope["headers"], host=host, masked_from=masked_from, method=scope["method"]
        ),
    )
    over_tls = target.port in (network.get("httpsPorts") or ())
    async with _dialled(target, closed, over_tls=over_tls) as (reader, writer):
        exchange = _Exchange(scope, receive, send, reader, writer, closed)
        await exchange.run(request)


def _requested_host(scope: Scope) -> str:
    return next(
        (value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), ""
    )


@asynccontextmanager
async def _dialled(
    target: Target, closed: ProxyError, *, over_tls: bool
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    descriptor = await _dial(target.machine.guest, target.port, closed)
    connected = socket.socket(fileno=descriptor)
    # It is already; asyncio's debug mode wants the object to know.
    connected.setblocking(False)
    try:
        # asyncio does so by itself only where the system tells a descriptor's protocol.
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader, writer = await asyncio.open_connection(
            sock=connected,
            limit=_READ,
            ssl=_unverified() if over_tls else None,
            server_hostname="localhost" if over_tls else None,
        )
    except OSError:
        connected.close()
        raise closed from None
    try:
        yield reader, writer
    finally:
        # Nothing of use is left to send: the answer is complete, or the exchange failed.
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _unverified() -> ssl.SSLContext:
    """TLS to a service in the sandbox, whatever certificate it made for itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _dial(guest: Guest, port: int, closed: ProxyError) -> int:
    for wait_s in (*_WAITS_S, None):
        try:
            if 0 < port <= _HIGHEST_PORT:
                async with asyncio.timeout(_DIAL_S):
                    return await guest.dial(port)
        except OSError:
            if wait_s is None:
                raise closed from None
        if wait_s is None:
            break
        await asyncio.sleep(wait_s)
    raise closed


class _Exchange:
    """One request and its answer, between a client and a service."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        closed: ProxyError,
    ) -> None:
        self._client: ClientConnection | None = scope.get("fake_e2b.connection")
        self._receive = receive
        self._send = send
        self._reader = reader
        self._writer = writer
        self._closed = closed
        self._upstream = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)
        self._answering = False
        self._wanted = forwarding.upgrade_of(scope["headers"])
        self._shape: Shape | None = scope.get(TUNNEL_KEY)
        self._upwards: Shape | None = scope.get(UPWARDS_KEY)

    async def run(self, request: h11.Request) -> None:
        """Both directions at once; the answer's end is the exchange's end."""
        self._write(request)
        upload = asyncio.create_task(self._upload())
        answer = asyncio.create_task(self._answer())
        try:
            await asyncio.wait({upload, answer}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                upload.result()
                return  # The client is gone.
            answer.result()
        except (OSError, h11.ProtocolError, EOFError) as error:
            if not self._answering:
                raise self._closed from error
            await self._break()
        finally:
            for task in (upload, answer):
                task.cancel()
            await asyncio.gather(upload, answer, return_exceptions=True)

    async def _upload(self) -> None:
        """The request's body; then wait for the client to go away."""
        more = True
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return
            if not more:
                continue
            body = message.get("body", b"")
            more = message.get("more_body", False)
            try:
                if body:
                    self._write(h11.Data(data=body))
                if not more:
                    self._write(h11.EndOfMessage())
                await self._writer.drain()
            except (OSError, h11.ProtocolError):
                # A service may answer and stop reading before the body's end: the answer decides.
                more = False

    async def _answer(self) -> None:
        interim = 0
        while True:
            event = await self._next_event()
            if isinstance(event, h11.InformationalResponse):
                interim += 1
                if interim > _MOST_INTERIM:
                    raise EOFError
                if event.status_code == _SWITCHING:
                    await self._tunnel(event)
                    return
                if event.status_code != _CONTINUE and self._client is not None:
                    self._client.inform(event.status_code, _headers(event))
            elif isinstance(event, h11.Response):
                self._answering = True
                await self._send(
                    {
                        "type": "http.response.start",
                        "status": event.status_code,
                        "headers": _headers(event),
                    }
                )
            elif isinstance(event, h11.Data):
                await self._send(
                    {"type": "http.response.body", "body": bytes(event.data), "more_body": True}
                )
            elif isinstance(event, h11.EndOfMessage):
                if event.headers and self._client is not None:
                    self._client.trail(list(event.headers))
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
                return
            else:
                raise EOFError

    async def _next_event(self) -> Any:
        while (event := self._upstream.next_event()) is h11.NEED_DATA:
            self._upstream.receive_data(await self._reader.read(_READ))
        return event

    async def _tunnel(self, switch: h11.InformationalResponse) -> None:
        """Join the two connections until either side closes."""
        offered = dict(switch.headers).get(b"upgrade", b"")
        if self._client is None or offered.lower() != (self._wanted or b"").lower():
            raise self._closed
        self._answering = True
        headers = _headers(switch)
        headers += [(n, v) for n, v in switch.headers if n in (b"upgrade", b"connection")]
        reader, writer = self._client.switch(headers)
        early, _ = self._upstream.trailing_data
        await _write(early, writer, self._shape)
        # Each side may end before the other: what that one still says is passed on.
        pumps = [
            asyncio.create_task(_pump(reader, self._writer, self._upwards)),
            asyncio.create_task(_pump(self._reader, writer, self._shape)),
        ]
        try:
            await asyncio.gather(*pumps)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        for side in (writer, self._writer):
            side.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
        await self._client.lost.wait()

    def _write(self, event: h11.Event) -> None:
        data = self._upstream.send(event)
        if data:
            self._writer.write(data)

    async def _break(self) -> None:
        """Half an answer must not look like a whole one."""
        if self._client is None:
            raise asyncio.CancelledError
        self._client.abort()
        await self._client.lost.wait()


async def _pump(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, shape: Shape | None = None
) -> None:
    """Pass on what comes, then the end; a side that breaks takes the other along."""
    try:
        while data := await source.read(_READ):
            await _write(data, sink, shape)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
        else:
            sink.close()
    except OSError:
        sink.close()


async def _write(data: bytes, sink: asyncio.StreamWriter, shape: Shape | None) -> None:
    if shape is None:
        sink.write(data)
    else:
        await shape(data, sink.write)


def _headers(event: h11.Response | h11.InformationalResponse) -> list[forwarding.Header]:
    return forwarding.response_headers(event.headers)
