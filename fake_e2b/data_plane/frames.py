"""The two directions of an enveloped RPC: messages in, frames out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import quote

from fake_e2b.data_plane.asgi import ClientGoneError, Receive, Send
from fake_e2b.data_plane.call import Call
from fake_e2b.data_plane.journaling import count_failure, count_message, open_stream
from fake_e2b.domain.journal import StreamSummary
from fake_e2b.wire import envelope
from fake_e2b.wire.connect import GRPC_STATUS, Code, ConnectFailure, ContentType, Opening
from fake_e2b.wire.proto_schema import MessageType
from fake_e2b.wire.protobuf import Message, ProtoError, decode, encode
from fake_e2b.wire.protojson import from_json, to_json


class Inbox:
    """The request's messages; an async iterator that ends with the request."""

    def __init__(
        self, receive: Receive, opening: Opening, kind: MessageType, max_bytes: int
    ) -> None:
        self._receive = receive
        self.opening = opening
        self._kind = kind
        self._max_bytes = max_bytes
        self._reader = envelope.FrameReader(max_bytes)
        self._ended = False
        self.summary: StreamSummary | None = None
        """Counts the messages, if it is there."""
        self.on_end: Callable[[], None] | None = None
        """Called once, when the whole request was received."""

    def __aiter__(self) -> Inbox:
        return self

    async def __anext__(self) -> Message:
        message = await self.next()
        if message is None:
            raise StopAsyncIteration
        return message

    async def only(self) -> Message:
        """The one message of a request that must hold exactly one.

        Facts: envd.connect.stream.zero-messages, envd.connect.stream.multiple-messages
        """
        message = await self.next()
        if message is None:
            raise ConnectFailure(Code.UNIMPLEMENTED, "unary request has zero messages")
        if await self.next() is not None:
            raise ConnectFailure(Code.UNIMPLEMENTED, "unary request has multiple messages")
        return message

    async def next(self) -> Message | None:
        """The next message; None at the end."""
        while (received := self._reader.next_frame()) is None:
            if self._ended:
                return None
            await self._pull()
        payload = envelope.payload_of(
            received, compression=self.opening.request_gzip, max_bytes=self._max_bytes
        )
        flags = received.flags & ~envelope.COMPRESSED
        if flags:
            await self._finish(flags)
            return None
        message: Message = {}
        if payload:
            message = decode_message(self.opening.content_type, self._kind, payload)
        if self.summary is not None:
            self.summary.heard(next(iter(message), "empty"))
        return message

    async def _pull(self) -> None:
        event = await self._receive()
        if event["type"] == "http.disconnect":
            raise ClientGoneError
        self._ended = not event.get("more_body", False)
        self._reader.feed(event.get("body", b""), end=self._ended)
        if self._ended and self.on_end is not None:
            self.on_end()

    async def _finish(self, flags: int) -> None:
        while not self._ended:
            await self._pull()
        if extra := self._reader.unread:
            raise ConnectFailure(
                Code.INTERNAL, f"corrupt response: {extra} extra bytes after end of stream"
            )
        if not flags & envelope.END:
            raise ConnectFailure(Code.INTERNAL, f"protocol error: invalid envelope flags {flags}")


class FrameWriter:
    """The response's frames; its headers go out with the first one, unless it has `started`."""

    def __init__(
        self,
        send: Send,
        opening: Opening,
        kind: MessageType,
        call: Call,
        *,
        started: bool = False,
    ) -> None:
        self._send = send
        self._opening = opening
        self._kind = kind
        self._call = call
        self._started = started
        self.summary = open_stream(call.scope)
        # Keepalives come from a task of their own.
        self._lock = asyncio.Lock()

    @property
    def busy(self) -> bool:
        """Whether a frame is being written (the client is slow)."""
        return self._lock.locked()

    async def message(self, message: Message) -> None:
        """Write one message."""
        payload = encode_message(self._opening.content_type, self._kind, message)
        if self._opening.response_gzip:
            framed = envelope.frame(envelope.gzip(payload), envelope.COMPRESSED)
        else:
            framed = envelope.frame(payload)
        async with self._lock:
            await self._start()
            if self.summary is not None:
                count_message(self.summary, message, len(payload))
            await self._send({"type": "http.response.body", "body": framed, "more_body": True})

    async def end(self, failure: ConnectFailure | None) -> None:
        """Write the last frame."""
        if failure is not None and self.summary is not None:
            count_failure(self.summary, failure)
        if self._opening.content_type.protocol == "grpc-web":
            framed = self._grpc_end(failure)
        else:
            payload, flags = b"{}" if failure is None else failure.end(), envelope.END
            if self._opening.response_gzip:
                payload, flags = envelope.gzip(payload), flags | envelope.COMPRESSED
            framed = envelope.frame(payload, flags)
        await self._start()
        await self._send({"type": "http.response.body", "body": framed, "more_body": False})

    def _grpc_end(self, failure: ConnectFailure | None) -> bytes:
        status, text = 0, ""
        if failure is not None:
            status, text = (
                GRPC_STATUS[failure.code],
                quote(failure.message, safe=" !#$&'()*+,/:;=?@[]"),
            )
        if failure is not None and not self._started:
            # Nothing was sent yet: the trailers stand in the headers.
            self._call.response_headers += [
                (b"grpc-status", str(status).encode()),
                (b"grpc-message", text.encode()),
            ]
            return b""
        trailers = f"grpc-status: {status}\r\ngrpc-message: {text}\r\n"
        return envelope.frame(trailers.encode(), envelope.TRAILERS)

    async def _start(self) -> None:
        if self._started:
            return
        self._started = True
        content_type = self._opening.content_type
        web = content_type.protocol == "grpc-web"
        headers = [
            (b"content-type", content_type.name.encode()),
            (b"grpc-accept-encoding" if web else b"connect-accept-encoding", b"gzip"),
            *self._call.response_headers,
        ]
        if self._opening.response_gzip:
            headers.append((b"grpc-encoding" if web else b"connect-content-encoding", b"gzip"))
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})


class Keepalive:
    """Writes a stream's keepalive message whenever nothing else was written for a while."""

    def __init__(self, writer: FrameWriter, call: Call) -> None:
        self._writer = writer
        self._message = call.keepalive_message or {}
        self._interval_s = call.keepalive_interval_s
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time() + self._interval_s
        self._handle = self._loop.call_at(self._due, self._tick)
        self._task: asyncio.Task[None] | None = None

    def restart(self) -> None:
        """Something was written."""
        # The timer is left running: it looks here when it fires.
        self._due = self._loop.time() + self._interval_s

    def stop(self) -> None:
        """Write no more."""
        self._handle.cancel()
        if self._task is not None:
            self._task.cancel()

    def _tick(self) -> None:
        if self._loop.time() >= self._due:
            if not self._writer.busy:
                self._task = self._loop.create_task(self._writer.message(self._message))
            self.restart()
        self._handle = self._loop.call_at(self._due, self._tick)


def decode_message(content_type: ContentType, kind: MessageType, data: bytes) -> Message:
    try:
        return from_json(kind, data) if content_type.codec == "json" else decode(kind, data)
    except ProtoError as error:
        into = f"unmarshal into *{kind.full_name}: " if data else ""
        raise ConnectFailure(Code.INVALID_ARGUMENT, f"unmarshal message: {into}{error}") from error


def encode_message(content_type: ContentType, kind: MessageType, message: Message) -> bytes:
    try:
        if content_type.codec == "json":
            return to_json(kind, message)
        return encode(kind, message)
    except ProtoError as error:
        raise ConnectFailure(Code.INTERNAL, f"marshal message: {error}") from error
