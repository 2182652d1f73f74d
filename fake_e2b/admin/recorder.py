"""Writes the journal: one ASGI layer around everything that clients of E2B reach.

It stands inside the server's dispatch for the admin pages stay out of the journal. Whoever learns
which part of the fake a request is for says so with `identify`; then a stream that is still open
already has its name.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fake_e2b.backend.journal import ANSWER_KEPT, BODY_KEPT, BODY_SHOWN, JOURNAL_KEY, Journal
from fake_e2b.domain.errors import FakeE2BError
from fake_e2b.domain.journal import RECORD_KEY, JournalRecord
from fake_e2b.domain.operations import Plane
from fake_e2b.domain.steering.match import PredicateFailedError
from fake_e2b.wire.host import ENVD_PORT, INTERPRETER_PORT

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_REFUSED = 400
_JSON = b"application/json"
_TYPE, _ENCODING = len(b"content-type"), len(b"content-encoding")
_MORE = 64
"""Room for what stands around a message: whether it is whole shows when its end was seen."""
_PLANES = {ENVD_PORT: Plane.ENVD, INTERPRETER_PORT: Plane.INTERPRETER}


def record_of(scope: Scope) -> JournalRecord | None:
    """The record of the request being served; None outside a `Recorder`."""
    record: JournalRecord | None = scope.get(RECORD_KEY)
    return record


def identify(scope: Scope, *, sandbox_id: str | None = None, port: int | None = None) -> None:
    """Name the request in the journal: sandbox traffic by its port, else the control plane's.

    Nothing to do outside a `Recorder`.
    """
    record = record_of(scope)
    if record is None:
        return
    journal: Journal = scope[JOURNAL_KEY]
    plane = Plane.CONTROL if port is None else _PLANES.get(port, Plane.PORT)
    journal.identify(record, plane, sandbox_id=sandbox_id)


def leave_traceback(scope: Scope, error: BaseException) -> None:
    """Keep the traceback of an unforeseen failure in the journal; refusals on purpose have none.

    Of a test's own predicate it is what that raised.
    """
    record = record_of(scope)
    if isinstance(error, PredicateFailedError):
        error = error.raised
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
        scope[JOURNAL_KEY] = journal
        scope[RECORD_KEY] = record
        body = answer = b""
        answer_room = 0

        async def heard() -> Message:
            nonlocal body
            message = await receive()
            chunk = message.get("body")
            if chunk:
                if len(body) == record.received <= BODY_KEPT:
                    body += chunk[: BODY_KEPT + _MORE - len(body)]
                record.received += len(chunk)
            if body and not record.body and not message.get("more_body"):
                journal.keep_body(record, body)
            return message

        async def said(message: Message) -> None:
            nonlocal answer, answer_room
            chunk = message.get("body")
            if chunk:
                record.sent += len(chunk)
                if len(answer) < answer_room:
                    answer += chunk[: answer_room - len(answer)]
            elif "status" in message:
                record.status = status = message["status"]
                if _is_json(message):
                    answer_room = ANSWER_KEPT
                elif status >= _REFUSED:
                    answer_room = BODY_SHOWN
            await send(message)

        try:
            await self._app(scope, heard, said)
        except Exception as error:
            leave_traceback(scope, error)
            raise
        finally:
            if body and not record.body:
                journal.keep_body(record, body)
            whole = answer_room == ANSWER_KEPT and len(answer) == record.sent
            journal.close(record, answer=answer, whole=whole)


def _is_json(start: Message) -> bool:
    """Whether an answer's head announces JSON that can be read as it is."""
    found = False
    for name, value in start.get("headers", ()):
        if len(name) == _TYPE and name.lower() == b"content-type":
            found = value.startswith(_JSON)
        elif len(name) == _ENCODING and name.lower() == b"content-encoding":
            return False
    return found


def _path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope.get("query_string", b"")
    return (raw + b"?" + query if query else raw).decode("latin-1")


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return f"{client[0]}:{client[1]}" if client else ""
