"""Tells TLS from plain HTTP at the one port, by the first byte that a client sends.

A TLS connection begins with a handshake record (22), which no HTTP request does. Plain clients are
handed on with what they sent, and nothing stands between them and their `Connection` afterwards;
for the others asyncio's own TLS protocol does. HTTP/1.1 is all that is offered by ALPN: the server
speaks nothing else, and every published SDK takes it.
"""

from __future__ import annotations

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable

_HANDSHAKE_RECORD = 0x16
_HANDSHAKE_S = 60.0


class Doorman(asyncio.Protocol):
    """Stands at one connection until its first byte is there.

    Args:
        make_connection: Makes the protocol that speaks HTTP.
        inside: Where connections are noted that no `make_connection` protocol answers for yet.
    """

    def __init__(
        self,
        make_connection: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext,
        loop: asyncio.AbstractEventLoop,
        inside: set[asyncio.Transport],
    ) -> None:
        self._make_connection = make_connection
        self._context = context
        self._loop = loop
        self._inside = inside
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the client to speak."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._inside.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """It left without a word."""
        if self._transport is not None:
            self._inside.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        """Make way for the protocol that the first byte asks for."""
        transport = self._transport
        assert transport is not None
        connection = self._make_connection()
        if data[0] != _HANDSHAKE_RECORD:
            self._inside.discard(transport)
            transport.set_protocol(connection)
            connection.connection_made(transport)
            connection.data_received(data)
            return
        tls = _Tls(connection, self._context, self._loop, transport, self._inside)
        transport.set_protocol(tls)
        tls.connection_made(transport)
        while data:
            buffer = tls.get_buffer(len(data))
            size = min(len(buffer), len(data))
            buffer[:size] = data[:size]
            tls.buffer_updated(size)
            data = data[size:]


class _Tls(SSLProtocol):
    """asyncio's, which also tells when the connection below is gone."""

    def __init__(
        self,
        connection: asyncio.Protocol,
        context: ssl.SSLContext,
        loop: asyncio.AbstractEventLoop,
        transport: asyncio.Transport,
        inside: set[asyncio.Transport],
    ) -> None:
        super().__init__(
            loop,
            connection,
            context,
            None,  # type: ignore[arg-type]  # nobody waits for the end of the handshake
            server_side=True,
            ssl_handshake_timeout=_HANDSHAKE_S,  # type: ignore[arg-type]  # seconds, not an int
        )
        self._below = transport
        self._noted = inside

    def connection_lost(self, exc: BaseException | None) -> None:
        """Tell the HTTP protocol, if the handshake ever came to an end."""
        self._noted.discard(self._below)
        super().connection_lost(exc)
