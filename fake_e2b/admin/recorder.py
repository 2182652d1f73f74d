"""Writes the journal: one ASGI layer around everything that clients of E2B reach.

It stands inside the server's dispatch for the admin pages stay out of the journal. Whoever learns
which part of the fake a request is for says so with `identify`; then a stream that is still open
already has its name.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fake_e2b.backend.journal import BODY_SHOWN, Journal
from fake_e2b.domain.errors import FakeE2BError
from fake_e2b.domain.journal import JournalRecord
from fake_e2b.domain.operations import Plane
from fake_e2b.wire.host import ENVD_PORT, INTERPRETER_PORT

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_JOURNAL = "fake_e2b.journal"
_RECORD = "fake_e2b.record"
_REFUSED = 400
_PLANES = {ENVD_PORT: Plane.ENVD, INTERPRETER_PORT: Plane.INTERPRETER}


def record_of(scope: Scope) -> JournalRecord | None:
    """The record of the request being served; None outside a `Recorder`."""
    record: JournalRecord | None = scope.get(_RECORD)
    return record


def identify(scope: Scope, *, sandbox_id: str | None = None, port: int | None = None) -> None:
    """Name the request in the journal: sandbox traffic by its port, else the control plane's.

    Nothing to do outside a `Recorder`.
    """
    record = record_of(scope)
    if record is None:
        return
    journal: Journal = scope[_JOURNAL]
    plane = Plane.CONTROL if port is None else _PLANES.get(port, Plane.PORT)
    journal.identify(record, plane, sandbox_id=sandbox_id)


def leave_traceback(scope: Scope, error: BaseException) -> None:
    """Keep the traceback of an unforeseen failure in the journal; refusals on purpose have none."""
    record = record_of(scope)
    if record is not None and not isinstance(error, FakeE2BError):
        record.traceback = "".join(traceback.format_exception(error))


class Recorder:
    """Records each request that passes through to `app`.

    Exceptions pass through as well, once their traceback is in the journal.
    """

    def __init__(self, app: App, journal: Journal) -> None:
        self._app = app
        self._journal = journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        journal = self._journal
        record = journal.open(
            scope.get("method", "GET"), _path(scope), scope["headers"], _client(scope)
        )
        scope[_JOURNAL] = journal
        scope[_RECORD] = record
        answer = b""

        async def heard() -> Message:
            message = await receive()
            chunk = message.get("body")
            if chunk:
                if not record.received:
                    journal.keep_body(record, bytes(chunk[: 2 * BODY_SHOWN]))
                record.received += len(chunk)
            return message

        async def said(message: Message) -> None:
            nonlocal answer
            chunk = message.get("body")
            if chunk:
                record.sent += len(chunk)
                if len(answer) < BODY_SHOWN and (record.status or 0) >= _REFUSED:
                    answer += bytes(chunk[:BODY_SHOWN])
            elif "status" in message:
                record.status = message["status"]
            await send(message)

        try:
            await self._app(scope, heard, said)
        except Exception as error:
            leave_traceback(scope, error)
            raise
        finally:
            journal.close(record, answer=answer)


def _path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope.get("query_string", b"")
    return (raw + b"?" + query if query else raw).decode("latin-1")


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return f"{client[0]}:{client[1]}" if client else ""
