"""One client connection: uvicorn's HTTP/1.1 protocol plus what a proxy needs of it.

The handle stands in the scope as ``scope["fake_e2b.connection"]``. `abort` breaks the connection
in the middle of an answer, `inform` and `trail` say what ASGI has no words for, `hear_out` keeps a
client that has only stopped sending, `switch` turns it into a plain byte stream after a 101, `lost`
tells when it is gone. Upgrades are never treated by uvicorn itself, so whatever protocol a program
in a sandbox speaks after the 101 passes byte for byte.

``scope["fake_e2b.raw_target"]`` is the request's target as it came: ASGI loses an empty query.

Facts: proxy.answer.status-line, proxy.client.half-close, proxy.http.malformed-request,
proxy.http.early-answer, proxy.http2.refused
"""

from __future__ import annotations

import asyncio
import logging
import re
import struct
from collections.abc import Sequence
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from fake_e2b.server.peer import is_held
from fake_e2b.wire.http_status import phrase

LOGGER = logging.getLogger("fake_e2b.server")
LOGGER.addHandler(logging.NullHandler())

_TOO_LARGE = 431
_LINGER_S = 0.5
"""Between the end of what we say and the close that discards what the client still sends."""
_HEAR_OUT_S = 2.0
"""How long a client that has ended its side may wait for the next part of the answer, where nobody
can tell whether it is still there.
"""
_ASK_AGAIN_S = 0.1
"""Between two looks at whether it is."""
_HIGHEST_KNOWN_STATUS = 599
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\n"
_HTTP2_REASON = b"fake-e2b speaks HTTP/1.1 here"
_HTTP2_REFUSAL = (
    # SETTINGS, none of them; then GOAWAY: no stream was looked at, HTTP_1_1_REQUIRED.
    struct.pack("!HBBBI", 0, 0, 4, 0, 0)
    + struct.pack("!HBBBIII", 0, 8 + len(_HTTP2_REASON), 7, 0, 0, 0, 0xD)
    + _HTTP2_REASON
)


_BETWEEN = (h11.IDLE, h11.DONE, h11.MUST_CLOSE, h11.CLOSED)


class _Speaker(h11.Connection):
    """HTTP/1.1 with what uvicorn and h11 have no words for: trailers, odd statuses and targets."""

    trailers: Sequence[tuple[bytes, bytes]] = ()
    status: int | None = None
    target = b""

    def receive_data(self, data: bytes) -> None:
        if self.their_state is h11.IDLE and not data.isascii():
            data = self._readable(data)
        super().receive_data(data)

    def _readable(self, data: bytes) -> bytes:
        """Bytes beyond ASCII in a request line, escaped as the service's HTTP library does."""
        unread, _ = self.trailing_data
        if b"\n" in unread.lstrip(b"\r\n"):
            return data
        line, end, rest = data.partition(b"\n")
        return _BEYOND_ASCII.sub(lambda byte: b"%%%02X" % byte[0][0], line) + end + rest

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self.target = event.target
        return event

    def send_with_data_passthrough(self, event: h11.Event) -> list[bytes] | None:
        if isinstance(event, h11.EndOfMessage):
            event, self.trailers = h11.EndOfMessage(headers=list(self.trailers)), ()
        elif isinstance(event, h11.Response):
            status, self.status = self.status or event.status_code, None
            reason = phrase(status)
            if reason != event.reason:
                event = h11.Response(status_code=status, headers=event.headers, reason=reason)
        return super().send_with_data_passthrough(event)


class _Tunnel(asyncio.StreamReaderProtocol):
    """The byte stream after a switch; the HTTP protocol still learns of its end."""

    def __init__(self, reader: asyncio.StreamReader, owner: Connection) -> None:
        super().__init__(reader)
        self._owner = owner

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._owner.connection_lost(exc)


class _LastWords:
    """What an answer is written to that comes before the whole request."""

    def __init__(self, owner: Connection) -> None:
        self._owner = owner
        self.write = owner.transport.write
        self.is_closing = owner.transport.is_closing

    def close(self) -> None:
        self._owner.leave()


class Connection(H11Protocol):
    """What the listening socket makes for each client."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # Nothing of ours goes through the loggers of a uvicorn that the user may run as well.
        self.logger = LOGGER
        self.conn = self._speaker = _Speaker(h11.SERVER, self._head_limit())
        self.access_log = False
        self.lost = asyncio.Event()
        self._refused = False
        self._hears_out = False
        self._half_closed = False
        self._switched = False
        self._said = 0
        served = self.app

        async def run(scope: Any, receive: Any, send: Any) -> None:
            scope["fake_e2b.connection"] = self
            scope["fake_e2b.raw_target"] = self._speaker.target
            self._hears_out = False

            async def say(message: Any) -> None:
                self._said += 1
                if message.get("status", 0) > _HIGHEST_KNOWN_STATUS:
                    # uvicorn has a table of phrases that ends there.
                    self._speaker.status = message["status"]
                    message = {**message, "status": _HIGHEST_KNOWN_STATUS}
                elif "body" in message and not message.get("more_body") and self.cycle.more_body:
                    self.cycle.transport = _LastWords(self)  # type: ignore[assignment]
                await send(message)

            await served(scope, receive, say)

        self.app = run

    @property
    def is_idle(self) -> bool:
        """Whether no request is being served or half received."""
        served = self.cycle is None or self.cycle.response_complete
        return served and not self._switched and self.conn.their_state in _BETWEEN

    def abort(self) -> None:
        """Break the connection: the client sees it cut, never a clean end."""
        self.transport.abort()

    def hear_out(self) -> None:
        """Let a client that ends its side during the present request still get the answer."""
        self._hears_out = True

    def leave(self) -> None:
        """Close when the client has had time to read what was said.

        Closing with unread bytes would reset the connection and take the answer with it.
        """
        self._refused = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(_LINGER_S, self.transport.close)

    def inform(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Send an interim answer (102 to 199) before the final one; HTTP/1.0 knows none."""
        if self.scope["http_version"] == "1.0":
            return
        event = h11.InformationalResponse(
            status_code=status, headers=list(headers), reason=phrase(status)
        )
        self.transport.write(self.conn.send(event) or b"")

    def trail(self, trailers: Sequence[tuple[bytes, bytes]]) -> None:
        """Send trailers with the end of the present answer, whose body has no stated length."""
        # To a client of HTTP/1.0 a body is not chunked: there is no place for them.
        if self.scope["http_version"] == "1.1":
            self._speaker.trailers = trailers

    def switch(
        self, headers: Sequence[tuple[bytes, bytes]]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Answer 101 with `headers` and hand over the raw byte stream, both directions."""
        event = h11.InformationalResponse(
            status_code=101, headers=list(headers), reason=b"Switching Protocols"
        )
        self.transport.write(self.conn.send(event) or b"")
        reader = asyncio.StreamReader(loop=self.loop)
        tunnel = _Tunnel(reader, self)
        self.transport.set_protocol(tunnel)
        tunnel.connection_made(self.transport)
        already_read, _ = self.conn.trailing_data
        reader.feed_data(already_read)
        self._switched = True
        if self._half_closed:
            reader.feed_eof()
        self.flow.resume_reading()
        return reader, asyncio.StreamWriter(self.transport, tunnel, reader, self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever waits for the end."""
        super().connection_lost(exc)
        self.lost.set()

    def _should_upgrade(self) -> bool:
        return False

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP the way the service's HTTP library does."""
        unread, _ = self.conn.trailing_data
        if self.cycle is not None and not self.cycle.response_complete:
            # A body that breaks the rules: whoever reads it must not take it for a whole one.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.abort()
                return
        status = _TOO_LARGE if len(unread) > self._head_limit() else 400
        line = b"%d %s" % (status, phrase(status))
        self.transport.write(
            b"HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Connection: close\r\n\r\n%s" % (line, line)
        )
        self.leave()

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks whether to stay
        """A client that has said all may still wait for the answer."""
        waits = (
            self._hears_out
            and self.cycle is not None
            and not self.cycle.response_complete
            and not self.cycle.more_body
            and self.transport.can_write_eof()
        )
        if waits and not self._half_closed:
            self._half_closed = True
            self._hear_on(said=-1)
        return waits

    def _hear_on(self, said: int) -> None:
        """Close once the client is gone, or may be: nothing was said for a while."""
        if self._switched or self.transport.is_closing():
            return
        held = is_held(self.transport)
        if held is None and said != self._said:
            self.loop.call_later(_HEAR_OUT_S, self._hear_on, self._said)
        elif held:
            self.loop.call_later(_ASK_AGAIN_S, self._hear_on, -1)
        else:
            self.transport.close()

    def on_response_complete(self) -> None:
        """Go on with what a client has sent before it ended its side, if anything."""
        super().on_response_complete()
        if self._half_closed and self.cycle.response_complete:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Serve what arrives; after a refusal nothing counts any more."""
        if self._refused:
            return
        if self.cycle is None and data.startswith(_HTTP2_PREFACE):
            self.transport.write(_HTTP2_REFUSAL)
            self.leave()
        else:
            super().data_received(data)

    def _head_limit(self) -> int:
        return self.config.h11_max_incomplete_event_size or 0
