"""The floor: the same kind of server, on the same thread class, with replies made beforehand."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

CREATED = {
    "templateID": "rki5dems9wqfm4r03t7g",
    "sandboxID": "ibenchmark00000000000",
    "clientID": "6532622b",
    "envdVersion": "0.6.13",
    "alias": "base",
    "envdAccessToken": "0" * 64,
}
LISTED = [
    {
        **{key: value for key, value in CREATED.items() if key != "envdAccessToken"},
        "sandboxID": f"i{number:020d}",
        "cpuCount": 2,
        "memoryMB": 512,
        "diskSizeMB": 1024,
        "startedAt": "2026-11-22T04:23:05.123456789Z",
        "endAt": "2026-11-22T05:23:05.123456789Z",
        "state": "running",
        "metadata": {"n": "0"},
        "volumeMounts": [],
    }
    for number in range(100)
]
TEMPLATES = [
    {
        "templateID": f"{number:020d}",
        "buildID": "8f2d5a9e-0c4b-4c55-9a52-6c3d8f0e7b11",
        "cpuCount": 2,
        "memoryMB": 1024,
        "diskSizeMB": 1024,
        "public": False,
        "aliases": [f"t{number}"],
        "names": [f"fake/t{number}"],
        "createdAt": "2026-11-22T04:23:05.123456789Z",
        "updatedAt": "2026-11-22T04:23:05.123456789Z",
        "createdBy": None,
        "lastSpawnedAt": None,
        "spawnCount": 0,
        "buildCount": 1,
        "envdVersion": "0.6.13",
        "buildStatus": "ready",
    }
    for number in range(100)
]
WRITTEN = [{"name": "small.txt", "path": "/home/user/small.txt", "type": "file"}]
SMALL = b"x" * 100
BLOCK = b"\0" * 65536
BIG_BYTES = 100 * 1000 * 1000


def _envelope(message: object, flags: int = 0) -> bytes:
    body = json.dumps(message).encode()
    return struct.pack(">BI", flags, len(body)) + body


RUN = b"".join(
    [
        _envelope({"event": {"start": {"pid": 42}}}),
        _envelope({"event": {"data": {"stdout": base64.b64encode(b"hi\n").decode()}}}),
        _envelope({"event": {"end": {"exited": True, "status": "exit status 0"}}}),
        _envelope({}, flags=2),
    ]
)
EXECUTED = "".join(
    json.dumps(line) + "\n"
    for line in [
        {"type": "result", "text": "2", "is_main_result": True},
        {"type": "number_of_executions", "execution_count": 1},
        {"type": "end_of_execution"},
    ]
).encode()


class NoService:
    """Nothing to enter or leave."""

    async def __aenter__(self) -> None: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the whole request, count its bytes, answer from the table."""
    method, path = scope["method"], scope["path"]
    received, more = 0, True
    while more:
        message = await receive()
        received += len(message.get("body", b""))
        more = message.get("more_body", False)
    match method, path:
        case "POST", "/v2/sandboxes":
            await _answer(send, 201, json.dumps(CREATED).encode())
        case "GET", "/v2/sandboxes":
            await _answer(send, 200, json.dumps(LISTED).encode())
        case "GET", "/v2/templates":
            await _answer(send, 200, json.dumps(TEMPLATES).encode())
        case "POST", "/process.Process/Start":
            await _answer(send, 200, RUN, b"application/connect+json")
        case "POST", "/files":
            await _answer(send, 200, json.dumps(WRITTEN).encode())
        case "GET", "/files" if b"big" in scope["query_string"]:
            await _stream(send, BIG_BYTES)
        case "GET", "/files":
            await _answer(send, 200, SMALL, b"text/plain; charset=utf-8")
        case "POST", "/execute":
            await _answer(send, 200, EXECUTED)
        case _:
            await _answer(send, 200, b"{}")


async def _answer(send: Send, status: int, body: bytes, kind: bytes = b"application/json") -> None:
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _stream(send: Send, size: int) -> None:
    headers = [(b"content-length", b"%d" % size), (b"content-type", b"application/octet-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    left = size
    while left:
        block = BLOCK[:left]
        left -= len(block)
        await send({"type": "http.response.body", "body": block, "more_body": left > 0})
