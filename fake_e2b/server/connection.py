"""One client connection: uvicorn's HTTP/1.1 protocol plus what a proxy needs of it.

The handle stands in the scope as ``scope["fake_e2b.connection"]``. `abort` breaks the connection
in the middle of an answer, `inform` and `trail` say what ASGI has no words for, `switch` turns it
into a plain byte stream after a 101, `lost` tells when it is gone. Upgrades are never treated by
uvicorn itself, so whatever protocol a program in a sandbox speaks after the 101 passes byte for
byte.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

LOGGER = logging.getLogger("fake_e2b.server")
LOGGER.addHandler(logging.NullHandler())

_TOO_LARGE = 431
_LINGER_S = 0.5


class _Speaker(h11.Connection):
    """Ends an answer with the trailers that wait: uvicorn ends each one without."""

    trailers: Sequence[tuple[bytes, bytes]] = ()

    def send_with_data_passthrough(self, event: h11.Event) -> list[bytes] | None:
        if isinstance(event, h11.EndOfMessage):
            event, self.trailers = h11.EndOfMessage(headers=list(self.trailers)), ()
        return super().send_with_data_passthrough(event)


class _Tunnel(asyncio.StreamReaderProtocol):
    """The byte stream after a switch; the HTTP protocol still learns of its end."""

    def __init__(self, reader: asyncio.StreamReader, owner: Connection) -> None:
        super().__init__(reader)
        self._owner = owner

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._owner.connection_lost(exc)


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
        served = self.app

        async def run(scope: Any, receive: Any, send: Any) -> None:
            scope["fake_e2b.connection"] = self
            await served(scope, receive, send)

        self.app = run

    def abort(self) -> None:
        """Break the connection: the client sees it cut, never a clean end."""
        self.transport.abort()

    def inform(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Send an interim answer (102 to 199) before the final one."""
        event = h11.InformationalResponse(status_code=status, headers=list(headers), reason=b"")
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
        self.flow.resume_reading()
        return reader, asyncio.StreamWriter(self.transport, tunnel, reader, self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever waits for the end."""
        super().connection_lost(exc)
        self.lost.set()

    def _should_upgrade(self) -> bool:
        return False

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP the way the service's HTTP library does.

        Fact: proxy.http.malformed-request
        """
        oversized = self.conn.trailing_data[0] and (
            len(self.conn.trailing_data[0]) > self._head_limit()
        )
        status, phrase = (
            (_TOO_LARGE, b"Request Header Fields Too Large") if oversized else (400, b"Bad Request")
        )
        body = b"%d %s" % (status, phrase)
        self.transport.write(
            b"HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Connection: close\r\n\r\n%s" % (body, body)
        )
        # Closing with unread bytes would reset the connection and take the answer with it.
        self._refused = True
        self.transport.write_eof()
        self.loop.call_later(_LINGER_S, self.transport.close)

    def data_received(self, data: bytes) -> None:
        """Serve what arrives; after a refusal nothing counts any more."""
        if not self._refused:
            super().data_received(data)

    def _head_limit(self) -> int:
        return self.config.h11_max_incomplete_event_size or 0
