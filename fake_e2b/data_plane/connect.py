"""Serves RPCs over ASGI: Connect unary and streams, JSON and binary, and gRPC-Web.

A request is served by the task that the server made for it. That task is interrupted from two
sides, both through `Guard`: the deadline passes, or the client leaves. When anything else
cancels it (the sandbox is gone, the server stops) nothing more is written, so that the client
sees its stream break instead of end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial
from typing import Any

from fake_e2b.data_plane.asgi import (
    ClientGoneError,
    Receive,
    Scope,
    Send,
    answer,
    read_headers,
)
from fake_e2b.data_plane.call import Call
from fake_e2b.data_plane.frames import (
    FrameWriter,
    Inbox,
    Keepalive,
    decode_message,
    encode_message,
)
from fake_e2b.data_plane.guard import Guard, Interruption
from fake_e2b.data_plane.journaling import keep_message
from fake_e2b.domain.envd_errors import EnvdError
from fake_e2b.domain.errors import GapError
from fake_e2b.wire import envelope
from fake_e2b.wire.connect import (
    ACCEPT_POST_STREAM,
    ACCEPT_POST_UNARY,
    DEADLINE_TEXT,
    HTTP_STATUS,
    Code,
    ConnectFailure,
    Opening,
    content_type_of,
    read_opening,
)
from fake_e2b.wire.envd_errors import rpc_failure
from fake_e2b.wire.proto_schema import Method, Schema, envd_schema
from fake_e2b.wire.protobuf import Message

__all__ = ["Call", "ConnectService", "Handler"]

Handler = Callable[[Any, Call], Any]
"""By the method's kind: `async (request, call) -> response`; an async generator of responses;
or `async (requests, call) -> response` with an async iterator of requests."""

MAX_MESSAGE_BYTES = 256 * 1024 * 1024
"""The largest message taken: real ones are far smaller, and memory must have an end."""
GAP_HEADER = b"x-fake-e2b-gap"

# Where an answer is due at once, the client is watched only when it takes longer than this.
_WATCH_AFTER_S = 0.05
_log = logging.getLogger(__name__)


class ConnectService:
    """An ASGI app for some RPCs.

    Args:
        schema: Declares the methods.
        handlers: By path, ``/package.Service/Method``.
        max_message_bytes: The largest message taken.
    """

    def __init__(
        self,
        schema: Schema,
        handlers: Mapping[str, Handler],
        *,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self._routes = {path: (schema.methods[path], handlers[path]) for path in handlers}
        self._max_bytes = max_message_bytes

    def serves(self, path: str) -> bool:
        """Whether `path` is one of the methods."""
        return path in self._routes

    def streams(self, path: str) -> bool:
        """Whether `path` answers with a stream of frames."""
        return path in self._routes and not self._routes[path][0].unary

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request to a path that `serves` knows."""
        method, handler = self._routes[scope["path"]]
        if scope["method"] != "POST":
            await answer(send, 405, [(b"allow", b"POST")])
            return
        headers = read_headers(scope)
        content_type = content_type_of(headers.get("content-type", ""), unary=method.unary)
        if content_type is None:
            accepted = ACCEPT_POST_UNARY if method.unary else ACCEPT_POST_STREAM
            await answer(send, 415, [(b"accept-post", accepted.encode())])
            return
        failure: ConnectFailure | None = None
        try:
            opening = read_opening(headers, content_type)
        except ConnectFailure as refused:
            failure = refused
            opening = Opening(content_type, None, request_gzip=False, response_gzip=False)
        call = Call(scope, headers, opening.timeout_s)
        if failure is None and opening.timeout_s == 0:
            failure = ConnectFailure(Code.DEADLINE_EXCEEDED, DEADLINE_TEXT)
        if content_type.enveloped:
            writer = FrameWriter(send, opening, method.response, call)
            if failure is not None:
                await writer.end(failure)
                return
            inbox = Inbox(receive, opening, method.request, self._max_bytes)
            if method.client_streams:
                inbox.summary = writer.summary
            await _serve_frames(method, handler, call, inbox, writer, receive)
        elif failure is not None:
            await _answer_failure(send, failure, call)
        else:
            await self._serve_unary(method, handler, call, opening, receive, send)

    async def _serve_unary(
        self,
        method: Method,
        handler: Handler,
        call: Call,
        opening: Opening,
        receive: Receive,
        send: Send,
    ) -> None:
        guard = Guard(receive, call.deadline)
        try:
            body = await self._read_body(receive)
            if opening.request_gzip and body:
                body = envelope.gunzip(body, self._max_bytes)
            request = decode_message(opening.content_type, method.request, body)
            keep_message(call.scope, opening, method.request, request)
            guard.watch_later(_WATCH_AFTER_S)
            response = await handler(request, call)
            payload = encode_message(opening.content_type, method.response, response)
        except ClientGoneError:
            return
        except (Exception, asyncio.CancelledError) as error:
            failure = _failure_of(error, call, guard)
            if failure is not None:
                await _answer_failure(send, failure, call)
            return
        finally:
            guard.disarm()
        headers = [
            (b"content-type", opening.content_type.name.encode()),
            (b"accept-encoding", b"gzip"),
            *call.response_headers,
        ]
        if opening.response_gzip:
            payload = envelope.gzip(payload)
            headers.append((b"content-encoding", b"gzip"))
        await answer(send, 200, headers, payload)

    async def _read_body(self, receive: Receive) -> bytes:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ClientGoneError
        first: bytes = event.get("body", b"")
        if not event.get("more_body", False):
            return first
        body = bytearray(first)
        while event.get("more_body", False):
            event = await receive()
            if event["type"] == "http.disconnect":
                raise ClientGoneError
            body += event.get("body", b"")
            if len(body) > self._max_bytes:
                raise ConnectFailure(
                    Code.RESOURCE_EXHAUSTED,
                    f"message size is larger than configured max {self._max_bytes}",
                )
        return bytes(body)


async def _serve_frames(
    method: Method,
    handler: Handler,
    call: Call,
    inbox: Inbox,
    writer: FrameWriter,
    receive: Receive,
) -> None:
    # A client stream waits for input as long as its client likes.
    guard = Guard(receive, None if method.client_streams else call.deadline)
    responses: AsyncGenerator[Message] | None = None
    keepalive: Keepalive | None = None
    failure: ConnectFailure | None = None
    try:
        if method.client_streams:
            inbox.on_end = partial(guard.watch_later, _WATCH_AFTER_S)
            await writer.message(await handler(inbox, call))
        else:
            request = await inbox.only()
            keep_message(call.scope, inbox.opening, method.request, request)
            guard.watch_later(0)
            if not method.server_streams:
                await writer.message(await handler(request, call))
            else:
                responses = handler(request, call)
                async for message in responses:
                    await writer.message(message)
                    if keepalive is not None:
                        keepalive.restart()
                    elif call.keepalive_message is not None:
                        keepalive = Keepalive(writer, call)
    except ClientGoneError:
        return
    except (Exception, asyncio.CancelledError) as error:
        failure = _failure_of(error, call, guard)
        if failure is None:
            return
    finally:
        guard.disarm()
        if keepalive is not None:
            keepalive.stop()
        if responses is not None:
            await responses.aclose()
    await writer.end(failure)


def _failure_of(error: BaseException, call: Call, guard: Guard) -> ConnectFailure | None:
    """What to tell the client after `error`; None when there is nobody to tell.

    Raises:
        CancelledError: Someone else than `guard` cancelled the task.
    """
    guard.disarm()
    if isinstance(error, asyncio.CancelledError):
        if guard.interruption_behind(error) is Interruption.CLIENT_GONE:
            return None
        return ConnectFailure(Code.DEADLINE_EXCEEDED, DEADLINE_TEXT)
    if isinstance(error, ConnectFailure):
        return error
    if isinstance(error, EnvdError):
        return rpc_failure(error)
    if isinstance(error, GapError):
        call.response_headers.append((GAP_HEADER, error.operation.encode()))
        return ConnectFailure(Code.UNIMPLEMENTED, str(error))
    _log.error("serving %s failed", call.scope["path"], exc_info=error)
    return ConnectFailure(Code.INTERNAL, f"fake-e2b failed: {type(error).__name__}: {error}")


async def _answer_failure(send: Send, failure: ConnectFailure, call: Call) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"accept-encoding", b"gzip"),
        *call.response_headers,
    ]
    await answer(send, HTTP_STATUS[failure.code], headers, failure.body())


async def failure_of_rpc(
    scope: Scope, failure: ConnectFailure, *, started: bool = False
) -> list[Any]:
    """What is sent when the RPC that `scope` asks for fails; for whoever answers in envd's place.

    Args:
        started: Whether the stream has sent messages; else the answer's head is among the messages.
    """
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    headers = read_headers(scope)
    method = envd_schema().methods[scope["path"]]
    content_type = content_type_of(headers.get("content-type", ""), unary=method.unary)
    call = Call(scope, headers, None)
    if content_type is None or not content_type.enveloped:
        await _answer_failure(send, failure, call)
        return said
    try:
        opening = read_opening(headers, content_type)
    except ConnectFailure:
        opening = Opening(content_type, None, request_gzip=False, response_gzip=False)
    await FrameWriter(send, opening, method.response, call, started=started).end(failure)
    return said
