"""The two things a connection joins: byte streams, and WebSockets, which carry messages.

All of them read on demand and write with back pressure: what waits is bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Protocol, TypeVar

from .frames import (
    INTERNAL,
    NO_STATUS,
    NORMAL,
    Control,
    Data,
    Decoder,
    Opcode,
    ProtocolError,
    close_payload,
    encode,
)

Result = TypeVar("Result")
_FAREWELL_S = 5.0
"""How long a peer has to answer a close."""


class Stream(Protocol):
    """One side of a connection.

    Attributes:
    """

    async def read(self) -> Data | None: ...
    async def write(self, piece: Data) -> None: ...
    async def finish(self) -> None: ...
    async def close(self, *, failed: bool = False) -> None: ...


class ByteStream:
    """A socket or the pipes of a program: each read is a message of its own.

    Args:
        size: The most bytes of one message.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        size: int,
        after: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._size = size
        self._after = after

    async def read(self) -> Data | None:
        """The next bytes; None at the end."""
        data = await self._reader.read(self._size)
        return Data(data, complete=True, text=False) if data else None

    async def write(self, piece: Data) -> None:
        """Send; waits while the other side does not read."""
        self._writer.write(piece.payload)
        await self._writer.drain()

    async def finish(self) -> None:
        """Say that nothing more comes."""
        with contextlib.suppress(OSError, RuntimeError):
            if self._writer.can_write_eof():
                self._writer.write_eof()
            await self._writer.drain()

    async def close(self, *, failed: bool = False) -> None:
        """Close; what was written still goes out unless the stream failed."""
        if failed:
            self._writer.transport.abort()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
        if self._after is not None:
            await self._after()


class StdioStream:
    """Standard input and output, whatever they are: a terminal, pipes, files.

    Threads do the reading and writing: making the descriptors non-blocking would change them for
    the programs that share them.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._open = True

    async def read(self) -> Data | None:
        """The next bytes; None at the end."""
        data = await in_thread(lambda: os.read(0, self._size))
        return Data(data, complete=True, text=False) if data else None

    async def write(self, piece: Data) -> None:
        """Print."""
        left = memoryview(piece.payload)
        while left:
            left = left[await in_thread(partial(os.write, 1, left)) :]

    async def finish(self) -> None:
        """Let the reader of the output see its end."""
        if self._open:
            self._open = False
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.close(null)

    async def close(self, *, failed: bool = False) -> None:
        """The descriptors stay as they are."""


async def in_thread(call: Callable[[], Result]) -> Result:
    """A blocking call in a thread that does not keep the program from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: OSError | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # with no error there is one

    def run() -> None:
        result = None
        failure = None
        try:
            result = call()
        except OSError as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants it any more
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, daemon=True).start()
    return await done


class MirrorStream:
    """Gives back what it gets."""

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[Data | None] = asyncio.Queue(1)

    async def read(self) -> Data | None:
        """What was written."""
        return await self._pieces.get()

    async def write(self, piece: Data) -> None:
        """Keep for the reader."""
        await self._pieces.put(piece)

    async def finish(self) -> None:
        """Pass the end on."""
        await self._pieces.put(None)

    async def close(self, *, failed: bool = False) -> None:
        """Nothing to close."""


class WebSocket:
    """An open WebSocket.

    Attributes:
        read_to_end: The peer sends nothing more, and wants nothing more.
        heard_close: The status and reason that the peer closed with.

    Args:
        client: Whether this side is the client.
        text: Whether bytes without a kind are sent as text.
        say_close: Whether the end of what is to be sent closes the WebSocket.
        closing: The status and reason to close with.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        client: bool,
        text: bool,
        say_close: bool = True,
        closing: tuple[int, str] = (NORMAL, ""),
        size: int = 1 << 16,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._client = client
        self._text = text
        self._say_close = say_close
        self._closing = closing
        self._size = size
        self._decoder = Decoder(masked=not client)
        self._waiting: Iterator[Data | Control] = iter(())
        self._in_message = False
        self._said_close = False
        self.read_to_end = False
        self.heard_close: tuple[int, str] | None = None
        self.last_pong = 0.0

    async def read(self) -> Data | None:
        """The next piece of a message; None once the peer closed. Pings are answered.

        Raises:
            ProtocolError: The peer broke the protocol; it has been told.
        """
        while True:
            try:
                event = next(self._waiting, None)
            except ProtocolError as error:
                await self._say(error.code, str(error))
                raise
            if event is None:
                data = await self._reader.read(self._size)
                if not data:
                    self.read_to_end = True
                    return None
                self._waiting = self._decoder.feed(data)
            elif isinstance(event, Data):
                return event
            elif await self._closed_by(event):
                self.read_to_end = True
                return None

    async def _closed_by(self, control: Control) -> bool:
        if control.opcode == Opcode.PING:
            await self._send(Opcode.PONG, control.payload)
        elif control.opcode == Opcode.PONG:
            self.last_pong = asyncio.get_running_loop().time()
        else:
            self.heard_close = control.status()
            code = self.heard_close[0]
            await self._say(NORMAL if code == NO_STATUS else code)
            return True
        return False

    async def write(self, piece: Data) -> None:
        """Send a piece of a message, as a frame."""
        if self._said_close or (not piece.payload and not self._in_message):
            return  # an empty message would say nothing
        kind = Opcode.TEXT if self._text else Opcode.BINARY
        payload = piece.payload
        if self._text and not piece.text:
            payload = payload.decode("utf-8", "replace").encode()
        opcode = Opcode.CONTINUATION if self._in_message else kind
        self._in_message = not piece.complete
        await self._send(opcode, payload, final=piece.complete)

    async def ping(self) -> None:
        """Ask whether the peer is there."""
        await self._send(Opcode.PING, b"ping")

    async def finish(self) -> None:
        """Close, unless told not to; the peer may still send until it answers."""
        if self._say_close:
            await self._say(*self._closing)

    async def close(self, *, failed: bool = False) -> None:
        """Close the WebSocket and its connection."""
        if failed:
            await self._say(INTERNAL)
        elif self._say_close:
            await self._say(*self._closing)
        if self.heard_close is None and self._said_close:
            with contextlib.suppress(OSError, ProtocolError, asyncio.TimeoutError):
                await asyncio.wait_for(self._await_close(), _FAREWELL_S)
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _await_close(self) -> None:
        while await self.read() is not None:
            pass

    async def _say(self, code: int, reason: str = "") -> None:
        if not self._said_close:
            self._said_close = True
            with contextlib.suppress(OSError):
                await self._send(Opcode.CLOSE, close_payload(code, reason))

    async def _send(self, opcode: int, payload: bytes, *, final: bool = True) -> None:
        self._writer.write(encode(opcode, payload, masked=self._client, final=final))
        await self._writer.drain()
