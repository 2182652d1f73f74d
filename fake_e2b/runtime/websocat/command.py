"""The program: opens the two addresses and joins them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import sys
from collections.abc import Sequence
from typing import NoReturn

from .arguments import HELP, VERSION, ArgumentError, Arguments, complete, parse
from .endpoints import Address, Opener
from .frames import NO_STATUS, NORMAL, ProtocolError
from .handshake import HandshakeError
from .relay import Relay
from .streams import Stream, WebSocket

_FAILURES = (OSError, HandshakeError, ProtocolError, ArgumentError, EOFError)
_INTERRUPTED = 130


def main(argv: Sequence[str]) -> NoReturn:
    """Run and end the process: a thread may still wait for standard input."""
    try:
        status = _run(argv)
    except KeyboardInterrupt:
        status = _INTERRUPTED
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def _run(argv: Sequence[str]) -> int:
    try:
        arguments = parse(argv)
        if arguments.help:
            sys.stdout.write(HELP)
            return 0
        if arguments.on("version"):
            sys.stdout.write(f"websocat {VERSION} (the stand-in of fake-e2b)\n")
            return 0
        program = Program(arguments)
    except ArgumentError as error:
        sys.stderr.write(f"websocat: {error}\n")
        return 1
    loop = asyncio.new_event_loop()
    return loop.run_until_complete(program.run())


class Program:
    """One run.

    Raises:
        ArgumentError: The command line makes no sense.
    """

    def __init__(self, arguments: Arguments) -> None:
        first, second = map(Address.parse, complete(arguments))
        self._arguments = arguments
        self._oneshot = arguments.on("oneshot")
        self._swapped = second.listens and not first.listens
        if self._swapped:  # a second address that listens takes one connection
            first, second = second, first
            self._oneshot = True
        if second.listens:
            raise ArgumentError("only one of the addresses may listen")
        self._first, self._second = first, second
        bytes_meet_messages = first.is_websocket != second.is_websocket
        lines = (
            bytes_meet_messages
            and second.kind != "mirror"
            and not arguments.on("binary")
            and not arguments.on("no-line")
        )
        self._opener = Opener(arguments, lines=lines)
        self._relay = Relay(arguments)
        most = 1 if second.kind == "stdio" else arguments.number("conncap")
        self._places = asyncio.Semaphore(most or 1 << 30)
        self._served = asyncio.Event()

    async def run(self) -> int:
        """Until everything is said; returns the exit status."""
        if not self._first.listens:
            return await self._join_once()
        try:
            server = await self._opener.listen(self._first, self._accept)
        except _FAILURES as error:
            return self._complain(error, fatal=True)
        if self._arguments.on("server-mode"):
            self._say(f"Listening on ws://{self._first.rest}/")
        if self._arguments.on("stdout-announce-listening-ports"):
            self._announce(server)
        async with server:
            await self._served.wait()
        return 0

    def _announce(self, server: asyncio.AbstractServer) -> None:
        assert isinstance(server, asyncio.Server)
        for listening in server.sockets:
            name = listening.getsockname()
            where = f"unix,path={name}"
            if not isinstance(name, str):
                where = f"tcp,ip={name[0]},port={name[1]}"
            sys.stdout.write(f"LISTEN proto={where}\n")
        sys.stdout.flush()

    async def _join_once(self) -> int:
        first: Stream | None = None
        try:
            first = await self._opener.connect(self._first)
            second = await self._opener.connect(self._second)
        except _FAILURES as error:
            return self._complain(error, fatal=True)
        try:
            await self._relay.join(first, second)
        except _FAILURES as error:
            return self._complain(error, fatal=True)
        for stream in (first, second):
            if isinstance(stream, WebSocket) and stream.heard_close:
                code, reason = stream.heard_close
                if code not in (NORMAL, NO_STATUS):
                    self._say(f"websocat: closed by the other side: {code} {reason}".rstrip())
        return 0

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with self._places:
                if not (self._oneshot and self._served.is_set()):
                    await self._serve(reader, writer)
        except _FAILURES as error:
            self._complain(error, fatal=False)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        caller = await self._opener.welcome(self._first, reader, writer)
        if caller is None:
            return
        try:
            other = await self._opener.connect(self._second)
        except _FAILURES:
            await caller.close(failed=True)
            raise
        try:
            pair = (other, caller) if self._swapped else (caller, other)
            await self._relay.join(*pair)
        finally:
            if self._oneshot:
                self._served.set()

    def _complain(self, error: BaseException, *, fatal: bool) -> int:
        kind = "" if isinstance(error, ArgumentError) else "WebSocketError: "
        text = str(error) or type(error).__name__
        # Those of TLS and of names have numbers of their own.
        foreign = isinstance(error, (ssl.SSLError, socket.gaierror))
        if isinstance(error, OSError) and error.errno and not foreign:
            text = f"{os.strerror(error.errno)} (os error {error.errno})"
        self._say(f"websocat: {kind}{text}")
        if fatal:
            self._say("websocat: error running")
        return 1

    def _say(self, text: str) -> None:
        if not self._arguments.on("quiet"):
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
