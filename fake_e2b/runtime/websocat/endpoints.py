"""Addresses of the command line, opened: what connects, and what listens."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from . import handshake
from .arguments import ArgumentError, Arguments
from .frames import NORMAL
from .lines import LineStream
from .streams import ByteStream, MirrorStream, StdioStream, Stream, WebSocket

_LONGEST_HEAD = 1 << 16
_TCP = frozenset({"tcp", "tcp-connect", "connect-tcp", "tcp-c", "c-tcp"})
_TCP_SERVER = frozenset({"tcp-l", "tcp-listen", "listen-tcp", "l-tcp"})
_WS_SERVER = frozenset({"ws-l", "ws-listen", "listen-ws", "l-ws"})
_UNIX = frozenset({"unix", "unix-connect", "connect-unix", "unix-c", "c-unix"})
_UNIX_SERVER = frozenset({"unix-l", "unix-listen", "listen-unix", "l-unix"})
_SHELL = frozenset({"sh-c", "cmd"})
_WS_OVER = frozenset({"ws-c", "ws-connect", "connect-ws", "c-ws"})
Accept = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Address:
    """One address, taken apart."""

    kind: str
    rest: str

    @staticmethod
    def parse(text: str) -> Address:
        """Take an address apart.

        Raises:
            ArgumentError: Its kind is unknown.
        """
        if text == "-":
            return Address("stdio", "")
        kind, _, rest = text.partition(":")
        if kind in ("ws", "wss") and rest.startswith("//"):
            return Address("url", text)
        kinds = (
            ("tcp", _TCP),
            ("tcp-l", _TCP_SERVER),
            ("ws-l", _WS_SERVER),
            ("unix", _UNIX),
            ("unix-l", _UNIX_SERVER),
            ("shell", _SHELL),
            ("ws-c", _WS_OVER),
            ("stdio", frozenset({"stdio", "asyncstdio", "threadedstdio", "inetd"})),
            ("exec", frozenset({"exec"})),
            ("mirror", frozenset({"mirror"})),
        )
        for name, spellings in kinds:
            if kind in spellings:
                return Address(name, rest)
        raise ArgumentError(f"Unknown address or overlay type of `{kind}:`")

    @property
    def listens(self) -> bool:
        """Whether it waits for others to connect."""
        return self.kind in ("tcp-l", "ws-l", "unix-l")

    @property
    def is_websocket(self) -> bool:
        """Whether it carries messages."""
        return self.kind in ("url", "ws-l", "ws-c")


class Opener:
    """Opens addresses as the command line says.

    Args:
        lines: Whether byte streams are taken line by line.
    """

    def __init__(self, arguments: Arguments, *, lines: bool) -> None:
        self._arguments = arguments
        self._lines = lines
        self._size = arguments.number("buffer-size", 1 << 16) or 1 << 16
        code = arguments.number("close-status-code", NORMAL) or NORMAL
        self._closing = code, arguments.one("close-reason") or ""
        self._headers = arguments.requested_headers
        self._answer_headers = arguments.headers("server-header")
        if protocol := arguments.one("server-protocol"):
            self._answer_headers.append(("Sec-WebSocket-Protocol", protocol))

    async def connect(self, address: Address) -> Stream:
        """Open an address that does not listen.

        Raises:
            OSError, HandshakeError, ArgumentError: It cannot be opened.
        """
        if address.kind == "url":
            return await self._connect_websocket(handshake.Url.parse(address.rest))
        if address.kind == "ws-c":
            return await self._over(address.rest)
        if address.kind == "stdio":
            return self._bytes(StdioStream(self._size))
        if address.kind == "mirror":
            return MirrorStream()
        if address.kind == "tcp":
            host, port = place(address.rest)
            return self._pair(*await dial(host, port))
        if address.kind == "unix":
            return self._pair(*await asyncio.open_unix_connection(address.rest))
        return await self._program(address)

    async def listen(self, address: Address, accept: Accept) -> asyncio.AbstractServer:
        """Listen; `accept` gets each connection."""
        if address.kind == "unix-l":
            return await asyncio.start_unix_server(accept, address.rest)
        host, port = place(address.rest)
        return await asyncio.start_server(accept, host, port, limit=_LONGEST_HEAD, backlog=256)

    async def welcome(
        self, address: Address, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Stream | None:
        """What an accepted connection carries; None if it was refused.

        Raises:
            OSError, HandshakeError: The other side does not speak the protocol.
        """
        if address.kind != "ws-l":
            return self._pair(reader, writer)
        head = await _read_head(reader)
        reply, agreed = handshake.answer(
            head, self._answer_headers, self._arguments.one("restrict-uri")
        )
        writer.write(reply)
        await writer.drain()
        return self._websocket(reader, writer, client=False) if agreed else None

    async def _connect_websocket(self, url: handshake.Url) -> WebSocket:
        return await self._upgrade(url, *await dial(url.host, url.port, self._tls(url)))

    async def _over(self, inner: str) -> WebSocket:
        address = Address.parse(inner)
        if address.kind == "tcp":
            reader, writer = await dial(*place(address.rest))
        elif address.kind == "unix":
            reader, writer = await asyncio.open_unix_connection(address.rest)
        else:
            raise ArgumentError("ws-c: takes a tcp: or unix: address")
        uri = self._arguments.one("ws-c-uri") or "ws://0.0.0.0/"
        return await self._upgrade(handshake.Url.parse(uri), reader, writer)

    async def _upgrade(
        self, url: handshake.Url, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> WebSocket:
        key = handshake.new_key()
        writer.write(handshake.request(url, key, self._headers))
        await writer.drain()
        try:
            head = await _read_head(reader)
            handshake.check_answer(head, key)
        except BaseException:
            writer.transport.abort()
            raise
        return self._websocket(reader, writer, client=True)

    def _websocket(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, client: bool
    ) -> WebSocket:
        return WebSocket(
            reader,
            writer,
            client=client,
            text=not self._arguments.on("binary"),
            say_close=not self._arguments.on("no-close"),
            closing=self._closing,
        )

    def _pair(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Stream:
        return self._bytes(ByteStream(reader, writer, self._size))

    def _bytes(self, stream: Stream) -> Stream:
        if not self._lines:
            return stream
        end = b"\0" if self._arguments.on("null-terminated") else b"\n"
        strip = self._arguments.on("linemode-strip-newlines")
        return LineStream(stream, self._size, end=end, strip=strip)

    async def _program(self, address: Address) -> Stream:
        shell = ("/bin/sh", "-c", address.rest)
        argv = shell if address.kind == "shell" else (address.rest, *self._arguments.exec_args)
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin is not None
        assert process.stdout is not None
        return self._bytes(
            ByteStream(process.stdout, process.stdin, self._size, after=process.wait)
        )

    def _tls(self, url: handshake.Url) -> tuple[ssl.SSLContext, str] | None:
        if not url.secure:
            return None
        context = ssl.create_default_context()
        if self._arguments.on("insecure"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context, self._arguments.one("tls-domain") or url.host


async def dial(
    host: str, port: int, tls: tuple[ssl.SSLContext, str] | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect. Names below .localhost are this machine, whatever its resolver knows (RFC 6761)."""
    context, name = tls or (None, None)
    if not host.rstrip(".").endswith(".localhost"):
        return await asyncio.open_connection(host, port, ssl=context, server_hostname=name)
    try:
        return await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    except ConnectionRefusedError:
        return await asyncio.open_connection("::1", port, ssl=context, server_hostname=name)


def place(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`.

    Raises:
        ArgumentError: It is none.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise ArgumentError(f"invalid socket address {text!r}: wanted HOST:PORT")
    return host.strip("[]"), int(port)


async def _read_head(reader: asyncio.StreamReader) -> handshake.Head:
    try:
        data = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        text = "the connection was closed" if not error.partial else "an unfinished head"
        raise handshake.HandshakeError(text) from error
    except asyncio.LimitOverrunError as error:
        raise handshake.HandshakeError("a head that is too long") from error
    return handshake.Head.parse(data)
