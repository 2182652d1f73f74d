"""The content of volumes over HTTP: `/volumecontent/{volumeID}/path`, `/dir` and `/file`.

Guarded by a volume's token, not by an API key. Facts: volumes.content.*, volumes.token
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from fake_e2b.backend.volume_content import VolumeContent
from fake_e2b.backend.volumes import Volumes
from fake_e2b.data_plane.asgi import (
    ClientGoneError,
    Receive,
    Scope,
    Send,
    answer,
    read_headers,
)
from fake_e2b.data_plane.streaming import pieces_of
from fake_e2b.domain.volume_errors import VolumeError, VolumeKind
from fake_e2b.wire import render_storage, service_json, volume_errors
from fake_e2b.wire.volume_request import VolumeQuery, read_attributes, read_query

MAX_JSON = 1024 * 1024
"""Bytes of an update's body."""
_LONGEST_PAUSE_S = 0.25
_JSON = (b"content-type", b"application/json; charset=utf-8")
_BYTES = (b"content-type", b"application/octet-stream")


@dataclass(frozen=True, slots=True)
class _Call:
    content: VolumeContent
    query: VolumeQuery
    body: _Body
    receive: Receive
    send: Send

    async def show(self, status: int, value: object) -> None:
        await answer(self.send, status, [_JSON], service_json.encode(value))


class _Body:
    """A request's body as it arrives."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_over = False

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._is_over = True
            raise ClientGoneError
        self._is_over = not message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        return chunk

    async def pieces(self) -> AsyncIterator[bytes]:
        """What has not been read."""
        while not self._is_over:
            yield await self._next()

    async def whole(self) -> bytes:
        """All of it, if it is short."""
        body = b""
        async for piece in self.pieces():
            body += piece
            if len(body) > MAX_JSON:
                raise VolumeError(VolumeKind.BAD_BODY, reason="request too large")
        return body

    async def drain(self) -> None:
        """Take what is left of a body that is refused: a connection that is reset tells nothing.

        A client that pauses is not waited for.
        """
        try:
            while not self._is_over:
                await asyncio.wait_for(self._next(), _LONGEST_PAUSE_S)
        except (TimeoutError, ClientGoneError):
            return


async def _stat(call: _Call) -> None:
    await call.show(200, render_storage.volume_entry(call.content.stat(call.query.path)))


async def _update(call: _Call) -> None:
    given = read_attributes(await call.body.whole())
    entry = call.content.update(call.query.path, uid=given.uid, gid=given.gid, mode=given.mode)
    await call.show(200, render_storage.volume_entry(entry))


async def _remove(call: _Call) -> None:
    await asyncio.to_thread(call.content.remove, call.query.path)
    await call.send({"type": "http.response.start", "status": 204, "headers": []})
    await call.send({"type": "http.response.body", "body": b""})


async def _list(call: _Call) -> None:
    found = await asyncio.to_thread(call.content.list, call.query.path, call.query.depth)
    await call.show(200, [render_storage.volume_entry(each) for each in found])


async def _make_dir(call: _Call) -> None:
    given = call.query.attributes
    entry = call.content.make_dir(
        call.query.path, uid=given.uid, gid=given.gid, mode=given.mode, force=call.query.force
    )
    await call.show(201, render_storage.volume_entry(entry))


async def _read(call: _Call) -> None:
    with call.content.open_read(call.query.path) as file:
        size = os.fstat(file.fileno()).st_size
        headers = [_BYTES, (b"content-length", b"%d" % size)]
        await call.send({"type": "http.response.start", "status": 200, "headers": headers})
        left = size
        async for piece in pieces_of(file, size, call.receive):
            left -= len(piece)
            await call.send({"type": "http.response.body", "body": piece, "more_body": left > 0})
        if not size:
            await call.send({"type": "http.response.body", "body": b""})


async def _write(call: _Call) -> None:
    """Straight into the file: who has the volume mounted sees it grow."""
    path, given = call.query.path, call.query.attributes
    with call.content.open_write(
        path, uid=given.uid, gid=given.gid, mode=given.mode, force=call.query.force
    ) as file:
        async for piece in call.body.pieces():
            call.content.write(file, piece, path)
    await call.show(201, render_storage.volume_entry(call.content.stat(path)))


ROUTES: Mapping[tuple[str, str], Callable[[_Call], Awaitable[None]]] = {
    ("GET", "path"): _stat,
    ("PATCH", "path"): _update,
    ("DELETE", "path"): _remove,
    ("GET", "dir"): _list,
    ("POST", "dir"): _make_dir,
    ("GET", "file"): _read,
    ("PUT", "file"): _write,
}


def volume_content_app(volumes: Volumes) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """An ASGI app for the operations above; which one a request is for must be known."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(receive)
        try:
            _, _, volume_id, kind = _segments(scope)
            content = volumes.content(
                unquote(volume_id), read_headers(scope).get("authorization", "")
            )
            call = _Call(content, read_query(scope["query_string"]), body, receive, send)
            await ROUTES[scope["method"], kind](call)
        except VolumeError as error:
            await body.drain()
            status, refusal = volume_errors.render(error)
            await answer(send, status, [_JSON], refusal)
        except ClientGoneError:
            return  # nobody is there to be answered; the part that came stays

    return serve


def _segments(scope: Mapping[str, Any]) -> list[str]:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1").split("/")
