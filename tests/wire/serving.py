"""An ASGI app on a real loopback socket, and clients that may send anything."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from fake_e2b.server.connection import Connection
from fake_e2b.wire.envelope import END, FrameReader, frame
from fake_e2b.wire.envelope import gunzip as gunzip_payload

DEADLINE_S = 20.0


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[int]:
    """Serve `app` in this event loop; gives the port."""
    # With the protocol named, asyncio turns Nagle's algorithm off for what it accepts.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, http=Connection, lifespan="off", log_config=None, timeout_graceful_shutdown=0
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    try:
        yield listener.getsockname()[1]
    finally:
        # What `uvicorn.Server.shutdown` does after its grace.
        for each in server.servers:
            each.close()
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        tasks = list(server.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # An abort is done in the loop's next rounds, and the set has no event.
        while server.server_state.connections:  # noqa: ASYNC110
            await asyncio.sleep(0)
        listener.close()


@dataclass
class Answer:
    """A whole HTTP response; `cut` when the connection broke before its end."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    cut: bool

    def header(self, name: str) -> str | None:
        return next((value for each, value in self.headers if each.lower() == name), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def frames(self) -> list[tuple[int, Any]]:
        """(flags, message) of each frame, decompressed."""
        reader = FrameReader(2**31)
        reader.feed(self.body, end=True)
        found = []
        while (received := reader.next_frame()) is not None:
            payload = received.payload
            if received.flags & 1:
                payload = gunzip_payload(payload, 2**31)
            found.append((received.flags, json.loads(payload)))
        return found

    @property
    def events(self) -> list[dict[str, Any]]:
        """The messages of a stream that ended as it should."""
        *messages, last = self.frames
        assert last == (END, {}), last
        assert not self.cut
        return [message for _, message in messages]

    @property
    def error(self) -> tuple[str, str]:
        """Code and message, of a unary error or of a stream's last frame."""
        if self.status == 200:
            flags, last = self.frames[-1]
            assert flags & END
            found = last["error"]
        else:
            found = self.json
        return found["code"], found["message"]


class Wire:
    """One client connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    @asynccontextmanager
    async def open(cls, port: int) -> AsyncIterator[Wire]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield cls(reader, writer)
        finally:
            writer.transport.abort()

    def send_head(self, method: str, path: str, headers: Iterable[tuple[str, str]]) -> None:
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"{name}: {value}" for name, value in headers]
        self.writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def send_chunk(self, data: bytes) -> None:
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))

    async def read_head(self) -> tuple[int, list[tuple[str, str]]]:
        head = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        pairs = [line.partition(": ") for line in lines]
        return int(first.split()[1]), [(name, value) for name, _, value in pairs]

    async def read_chunk(self) -> bytes:
        """One chunk of a chunked body; b"" for the last one."""
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        data = await self.reader.readexactly(size + 2)
        return data[:-2]

    async def read_message(self) -> Any:
        """The message of the next frame (the server writes a frame as one chunk)."""
        async with asyncio.timeout(DEADLINE_S):
            chunk = await self.read_chunk()
        return json.loads(chunk[5:])

    async def read_answer(self) -> Answer:
        async with asyncio.timeout(DEADLINE_S):
            status, headers = await self.read_head()
            names = {name.lower(): value for name, value in headers}
            body, cut = b"", False
            try:
                if "content-length" in names:
                    body = await self.reader.readexactly(int(names["content-length"]))
                elif names.get("transfer-encoding") == "chunked":
                    while chunk := await self.read_chunk():
                        body += chunk
            except (asyncio.IncompleteReadError, ConnectionError):
                cut = True
            return Answer(status, headers, body, cut)


class Client:
    """Requests to one port, each on a connection of its own."""

    def __init__(self, port: int, headers: dict[str, str] | None = None) -> None:
        self.port = port
        self.headers = headers or {}

    async def send(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        async with Wire.open(self.port) as wire:
            everything = {**self.headers, **(headers or {}), "Content-Length": str(len(body))}
            wire.send_head(method, path, everything.items())
            wire.writer.write(body)
            return await wire.read_answer()

    async def unary(self, path: str, message: Any, headers: dict[str, str] | None = None) -> Answer:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return await self.send(
            "POST", path, body, {"Content-Type": "application/json", **(headers or {})}
        )

    async def stream(
        self, path: str, *messages: Any, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send each message as one frame (bytes: as they are) and read to the end."""
        body = b"".join(
            each if isinstance(each, bytes) else frame(json.dumps(each).encode())
            for each in messages
        )
        return await self.send(
            "POST", path, body, {"Content-Type": "application/connect+json", **(headers or {})}
        )

    @asynccontextmanager
    async def open_stream(
        self, path: str, message: Any, headers: dict[str, str] | None = None
    ) -> AsyncIterator[Wire]:
        """A stream of which the head was read; frames are read by `Wire.read_message`."""
        body = frame(json.dumps(message).encode())
        everything = {"Content-Type": "application/connect+json", **self.headers}
        everything.update(headers or {})
        async with Wire.open(self.port) as wire:
            wire.send_head("POST", path, {**everything, "Content-Length": str(len(body))}.items())
            wire.writer.write(body)
            async with asyncio.timeout(DEADLINE_S):
                status, _ = await wire.read_head()
            assert status == 200
            yield wire
