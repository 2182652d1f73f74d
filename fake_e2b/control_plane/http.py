"""One request to the control plane and its answer, on bare ASGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from fake_e2b.domain.control_errors import ControlError, ControlKind

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY = 16 * 1024 * 1024
"""Bytes; a longer body is refused. Fact: control.limits.body"""
_MAX_DRAINED = 4 * MAX_BODY

JSON = b"application/json; charset=utf-8"
TEXT = b"text/plain; charset=utf-8"


class ClientGoneError(Exception):
    """The client left before its request was whole."""


@dataclass(slots=True)
class Answer:
    """A whole response; a status of 204 has neither body nor type.

    Attributes:
        content_type: None for a body that has none.
    """

    status: int
    body: bytes = b""
    content_type: bytes | None = JSON
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


def read_headers(scope: Scope) -> dict[str, str]:
    """A request's headers, names in lower case; the first of several counts."""
    headers: dict[str, str] = {}
    for name, value in reversed(scope["headers"]):
        headers[name.decode("latin-1").lower()] = value.decode("latin-1")
    return headers


class Body:
    """A request's body, read at most once."""

    def __init__(self, receive: Receive, headers: Mapping[str, str]) -> None:
        self._receive = receive
        self._over = (
            headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
        )

    async def read(self) -> bytes:
        """All of it.

        Raises:
            ControlError: BODY_TOO_LARGE; what follows has been read and dropped, as long as that
                is affordable, for many clients listen only once they have sent everything.
            ClientGoneError: It never came to its end.
        """
        chunks: list[bytes] = []
        size = 0
        while not self._over:
            chunk = await self._next()
            size += len(chunk)
            if size > MAX_BODY:
                await self.drain()
                raise ControlError(ControlKind.BODY_TOO_LARGE)
            chunks.append(chunk)
        return b"".join(chunks)

    async def drain(self) -> None:
        """Drop what has not been read."""
        dropped = 0
        while not self._over and dropped < _MAX_DRAINED:
            dropped += len(await self._next())

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._over = True
            raise ClientGoneError
        self._over = not message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        return chunk


async def send_answer(send: Send, answer: Answer) -> None:
    """Send a whole response with its length."""
    headers = list(answer.headers)
    if answer.status != 204:
        if answer.content_type is not None:
            headers.append((b"content-type", answer.content_type))
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
