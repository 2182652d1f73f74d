"""The code interpreter's routes, port 49999 of a sandbox.

Facts: interpreter.routes, interpreter.execute.framing, interpreter.execute.keepalive
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from starlette.datastructures import URL, Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from fake_e2b.backend.executions import Batch, Context, ContextClosedError, Execution
from fake_e2b.backend.interpreter import Interpreter
from fake_e2b.data_plane.journaling import count_lines, open_stream
from fake_e2b.data_plane.target import target_of
from fake_e2b.domain.errors import GapError
from fake_e2b.domain.interpreter_errors import InterpreterError
from fake_e2b.domain.journal import StreamSummary
from fake_e2b.domain.kernel import KernelStartError
from fake_e2b.wire import interpreter as wire

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_KEEPALIVE_S = 5.0


class _Gone(Exception):
    """The client closed the connection."""


def interpreter_app() -> App:
    """The app; `fake_e2b.data_plane.target` says which sandbox a request is for."""
    cors = CORSMiddleware(_serve, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # Newer middleware marks every answer; the real server's left those without Origin alone.
        asked_by_page = any(name == b"origin" for name, _ in scope["headers"])
        await (cors if asked_by_page else _serve)(scope, receive, send)

    return app


async def _serve(scope: Scope, receive: Receive, send: Send) -> None:
    try:
        response = await _answer(scope, receive, send)
    except InterpreterError as error:
        status, text = wire.refusal(error)
        response = PlainTextResponse(text, status)
    except KernelStartError as error:
        response = PlainTextResponse(f"Failed to create context: {error}", 500)
    except wire.InvalidBodyError as error:
        response = JSONResponse({"detail": error.detail}, error.status)
    except _Gone:
        return
    if response is not None:
        await response(scope, receive, send)


async def _answer(scope: Scope, receive: Receive, send: Send) -> Response | None:
    """Find the route; None when it has answered by itself."""
    verbs = _verbs(scope["path"])
    if verbs is None:
        return _no_route(scope)
    endpoint = verbs.get(scope["method"])
    if endpoint is None:
        # The real router names the verb of the path's first route only.
        allow = next(iter(verbs))
        return JSONResponse({"detail": "Method Not Allowed"}, 405, headers={"allow": allow})
    return await endpoint(scope, receive, send)


def _no_route(scope: Scope) -> Response:
    path: str = scope["path"]
    if path in ("/docs", "/redoc", "/openapi.json"):
        raise GapError("interpreter.docs", "the server's own API pages are not built")
    if path.endswith("/") and _verbs(path.rstrip("/")) is not None:
        url = URL(scope=dict(scope, path=path.rstrip("/"), raw_path=None))
        return RedirectResponse(str(url), 307)
    return JSONResponse({"detail": "Not Found"}, 404)


def _interpreter(scope: Scope) -> Interpreter:
    interpreter = target_of(scope).machine.interpreter
    if not isinstance(interpreter, Interpreter):
        raise TypeError("requests come here only for sandboxes that have an interpreter")
    return interpreter


async def _read(receive: Receive) -> bytes:
    data = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        data += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(data)


async def _health(_scope: Scope, _receive: Receive, _send: Send) -> Response:
    return JSONResponse("OK")


async def _list_contexts(scope: Scope, _receive: Receive, _send: Send) -> Response:
    return JSONResponse([_shown(context) for context in _interpreter(scope).contexts()])


async def _create_context(scope: Scope, receive: Receive, _send: Send) -> Response:
    content_type = Headers(scope=scope).get("content-type", "")
    body = wire.parse_body(wire.CREATE_CONTEXT_BODY, content_type, await _read(receive))
    context = await _interpreter(scope).create(language=body.language, cwd=body.cwd)
    return JSONResponse(_shown(context))


async def _restart_context(scope: Scope, _receive: Receive, _send: Send) -> Response:
    await _interpreter(scope).restart(scope["path"].split("/")[2])
    return JSONResponse(None)


async def _remove_context(scope: Scope, _receive: Receive, _send: Send) -> Response:
    await _interpreter(scope).remove(scope["path"].split("/")[2])
    return JSONResponse(None)


def _shown(context: Context) -> dict[str, str]:
    return {"id": context.context_id, "language": context.language, "cwd": context.cwd}


async def _execute(scope: Scope, receive: Receive, send: Send) -> None:
    headers = Headers(scope=scope)
    data = await _read(receive)
    body = wire.parse_body(wire.EXECUTE_BODY, headers.get("content-type", ""), data)
    execution = _interpreter(scope).execute(
        body.code,
        context_id=body.context_id,
        language=body.language,
        variables=body.env_vars or {},
        access_token=headers.get("x-access-token"),
    )
    gone = asyncio.ensure_future(_wait_until_gone(receive))
    try:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await _stream(execution, gone, send, open_stream(scope))
    except ContextClosedError:
        # The sandbox ended. The server breaks the connection, and the client then asks whether
        # the sandbox is still there: an answer that merely ended would look complete.
        await gone
    finally:
        gone.cancel()
        execution.leave()


async def _stream(
    execution: Execution,
    gone: asyncio.Future[None],
    send: Send,
    summary: StreamSummary | None,
) -> None:
    """Send the run's lines; `_Gone` when nobody reads them any more."""
    await _unless_gone(execution.begin(), gone)
    reading: asyncio.Future[Batch | None] | None = None
    try:
        while True:
            if reading is None:
                reading = asyncio.ensure_future(execution.read())
            both: set[asyncio.Future[Any]] = {reading, gone}
            await asyncio.wait(both, timeout=_KEEPALIVE_S, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                raise _Gone
            if not reading.done():
                if summary is not None:
                    summary.wrote("keepalive", len(wire.KEEPALIVE))
                await _send_body(send, wire.KEEPALIVE)
                continue
            batch, reading = reading.result(), None
            if batch is None:
                break
            lines = [wire.line(message, batch.at_ns) for message in batch.messages]
            if summary is not None:
                count_lines(summary, batch.messages, lines)
            await _send_body(send, b"".join(lines))
    finally:
        if reading is not None:
            reading.cancel()
    if summary is not None:
        summary.wrote("end_of_execution", len(wire.END))
    await send({"type": "http.response.body", "body": wire.END})


async def _unless_gone(step: Awaitable[None], gone: asyncio.Future[None]) -> None:
    task = asyncio.ensure_future(step)
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise _Gone
        task.result()
    finally:
        task.cancel()


async def _send_body(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


Endpoint = Callable[[Scope, Receive, Send], Awaitable[Response | None]]

ROUTES: Mapping[str, Mapping[str, Endpoint]] = {
    "/health": {"GET": _health},
    "/execute": {"POST": _execute},
    "/contexts": {"POST": _create_context, "GET": _list_contexts},
    "/contexts/{id}": {"DELETE": _remove_context},
    "/contexts/{id}/restart": {"POST": _restart_context},
}


def _verbs(path: str) -> Mapping[str, Endpoint] | None:
    """What a path answers to; None when it is no path of this server."""
    parts = path.split("/")
    if len(parts) in (3, 4) and parts[1] == "contexts" and parts[2]:
        parts[2] = "{id}"
    return ROUTES.get("/".join(parts))
