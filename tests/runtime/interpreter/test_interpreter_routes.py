"""The interpreter's HTTP routes on real kernels, and what they say to bad requests."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, MutableMapping
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import pytest_asyncio

from fake_e2b.backend.machine import Envd, Machine
from fake_e2b.data_plane import interpreter as routes
from fake_e2b.data_plane.target import SCOPE_KEY, Target
from fake_e2b.domain.ports import Guest
from fake_e2b.domain.sandbox import Sandbox
from fake_e2b.runtime.interpreter.host import KernelHost
from tests.helpers.asgi import client_of
from tests.helpers.waiting import wait_until_async
from tests.runtime.interpreter.session import DEADLINE_S, Session

pytestmark = pytest.mark.asyncio(loop_scope="module")

Message = MutableMapping[str, Any]


class App:
    """The routes with one sandbox behind them."""

    def __init__(self, session: Session) -> None:
        machine = Machine(cast(Guest, None), cast(Envd, None), session.interpreter)
        self.target = Target(cast(Sandbox, None), machine, 49999)
        self._app = routes.interpreter_app()

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        await self._app({**scope, SCOPE_KEY: self.target}, receive, send)


@pytest.fixture
def app(session: Session) -> App:
    return App(session)


@pytest_asyncio.fixture(loop_scope="module")
async def client(app: App) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as made:
        yield made


class Exchange:
    """One request whose answer is read piece by piece."""

    def __init__(self, app: App, body: object, path: str = "/execute") -> None:
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._incoming.put_nowait({"type": "http.request", "body": json.dumps(body).encode()})
        self.sent: asyncio.Queue[Message] = asyncio.Queue()
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }
        self.task = asyncio.ensure_future(app(scope, self._incoming.get, self.sent.put))

    async def next(self) -> Message:
        async with asyncio.timeout(DEADLINE_S):
            return await self.sent.get()

    async def lines_until(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while not found or found[-1]["type"] != kind:
            body = (await self.next())["body"]
            found += [json.loads(line) for line in body.splitlines()]
        return found

    async def hang_up(self) -> None:
        self._incoming.put_nowait({"type": "http.disconnect"})
        await self.task


async def test_health(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health")
    assert (answer.status_code, answer.text) == (200, '"OK"')
    assert answer.headers["content-type"] == "application/json"


async def test_execute_is_written_as_python_writes_json(client: httpx.AsyncClient) -> None:
    answer = await client.post("/execute", json={"code": "print('é'); 1+1"})
    assert answer.status_code == 200
    assert "content-type" not in answer.headers
    assert answer.content == (
        b'{"type": "number_of_executions", "execution_count": 1}\n'
        b'{"type": "stdout", "text": "\\u00e9\\n", '
        b'"timestamp": "2025-11-22T22:25:40.802925+00:00"}\n'
        b'{"type": "result", "text": "2", "extra": {}, "is_main_result": true}\n'
        b'{"type": "end_of_execution"}\n'
    )


async def test_the_end_comes_after_errors_too(client: httpx.AsyncClient) -> None:
    answer = await client.post("/execute", json={"code": "1/0"})
    kinds = [json.loads(line)["type"] for line in answer.text.splitlines()]
    assert kinds == ["number_of_executions", "error", "end_of_execution"]


@pytest.mark.parametrize(
    "body",
    [
        {"code": "1", "context_id": None, "language": None, "env_vars": None},
        {"code": "1", "context_id": "", "language": ""},
        {"code": "1", "language": " Python", "unknown": 1},
        {"code": "1", "context_id": "default"},
    ],
)
async def test_ways_to_ask_for_the_default_context(
    client: httpx.AsyncClient, body: dict[str, object]
) -> None:
    answer = await client.post("/execute?source=ci", json=body)
    assert '"text": "1"' in answer.text


async def test_a_body_without_content_type(client: httpx.AsyncClient) -> None:
    answer = await client.post("/execute", content=b'{"code": "1"}')
    assert '"text": "1"' in answer.text


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (
            {"code": "1", "context_id": "a", "language": "python"},
            400,
            "Only one of context_id or language can be provided",
        ),
        ({"code": "1", "context_id": "nope"}, 404, "Context nope not found"),
        (
            {"code": "1", "language": "foo"},
            500,
            "Failed to create context: "
            '{"message": "The \'foo\' kernel is not available. Please pick another suitable '
            'kernel instead, or install that kernel.", "short_message": "foo not found"}',
        ),
    ],
)
async def test_refusals_to_execute(
    client: httpx.AsyncClient, body: dict[str, object], status: int, text: str
) -> None:
    answer = await client.post("/execute", json=body)
    assert (answer.status_code, answer.text) == (status, text)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("path", "content", "problem"),
    [
        (
            "/execute",
            b"{}",
            {"type": "missing", "loc": ["body", "code"], "msg": "Field required", "input": {}},
        ),
        (
            "/execute",
            b"",
            {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None},
        ),
        (
            "/contexts",
            b"",
            {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None},
        ),
        (
            "/execute",
            b'{"code": 5}',
            {
                "type": "string_type",
                "loc": ["body", "code"],
                "msg": "Input should be a valid string",
                "input": 5,
            },
        ),
        (
            "/execute",
            b'{"code": "", "env_vars": {"A": 1}}',
            {
                "type": "string_type",
                "loc": ["body", "env_vars", "A"],
                "msg": "Input should be a valid string",
                "input": 1,
            },
        ),
        (
            "/execute",
            b'{"code": "", "env_vars": []}',
            {
                "type": "dict_type",
                "loc": ["body", "env_vars"],
                "msg": "Input should be a valid dictionary",
                "input": [],
            },
        ),
        (
            "/contexts",
            b'{"cwd": 1}',
            {
                "type": "string_type",
                "loc": ["body", "cwd"],
                "msg": "Input should be a valid string",
                "input": 1,
            },
        ),
        (
            "/execute",
            b"{code",
            {
                "type": "json_invalid",
                "loc": ["body", 1],
                "msg": "JSON decode error",
                "input": {},
                "ctx": {"error": "Expecting property name enclosed in double quotes"},
            },
        ),
        (
            "/execute",
            b"[1]",
            {
                "type": "model_attributes_type",
                "loc": ["body"],
                "msg": "Input should be a valid dictionary or object to extract fields from",
                "input": [1],
            },
        ),
    ],
)
async def test_invalid_bodies(
    client: httpx.AsyncClient, path: str, content: bytes, problem: dict[str, object]
) -> None:
    answer = await client.post(path, content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json() == {"detail": [problem]}


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/", 404, {"detail": "Not Found"}),
        ("GET", "/nope", 404, {"detail": "Not Found"}),
        ("GET", "/contexts/a/b", 404, {"detail": "Not Found"}),
        ("GET", "/execute", 405, {"detail": "Method Not Allowed"}),
        ("POST", "/health", 405, {"detail": "Method Not Allowed"}),
        ("PUT", "/contexts", 405, {"detail": "Method Not Allowed"}),
        ("GET", "/contexts/a", 405, {"detail": "Method Not Allowed"}),
    ],
)
async def test_other_paths_and_methods(
    client: httpx.AsyncClient, method: str, path: str, status: int, body: object
) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()) == (status, body)


async def test_a_trailing_slash_is_redirected(client: httpx.AsyncClient) -> None:
    answer = await client.get("/contexts/?source=ci")
    assert answer.status_code == 307
    assert answer.headers["location"] == "http://127.0.0.1:3000/contexts?source=ci"


async def test_any_origin_may_ask(client: httpx.AsyncClient) -> None:
    answer = await client.get("/contexts", headers={"origin": "http://page.test"})
    assert answer.headers["access-control-allow-origin"] == "*"
    asked = {
        "origin": "http://page.test",
        "access-control-request-method": "DELETE",
        "access-control-request-headers": "x-access-token",
    }
    answer = await client.options("/execute", headers=asked)
    assert answer.status_code == 200
    assert "DELETE" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "x-access-token"


async def test_contexts(client: httpx.AsyncClient) -> None:
    answer = await client.post("/contexts", json={"cwd": "/nowhere"})
    assert answer.status_code == 200
    made = answer.json()
    assert (made["language"], made["cwd"]) == ("python", "/nowhere")
    listed = (await client.get("/contexts")).json()
    assert [context["language"] for context in listed] == ["python", "javascript", "python"]
    assert listed[-1] == made
    path = f"/contexts/{made['id']}"
    for method, where in (("POST", f"{path}/restart"), ("DELETE", path)):
        answer = await client.request(method, where)
        assert (answer.status_code, answer.text) == (200, "null")
    for method, where in (("POST", f"{path}/restart"), ("DELETE", path)):
        answer = await client.request(method, where)
        assert (answer.status_code, answer.text) == (404, f"Context {made['id']} not found")


async def test_an_unknown_kernel_makes_no_context(client: httpx.AsyncClient) -> None:
    answer = await client.post("/contexts", json={"language": "foo"})
    assert answer.status_code == 500
    assert answer.text.startswith("Failed to create context: {")
    assert len((await client.get("/contexts")).json()) == 2


async def test_headers_go_out_before_the_code_ends(app: App) -> None:
    exchange = Exchange(app, {"code": "import time\nprint('on', flush=True)\ntime.sleep(1000)"})
    start = await exchange.next()
    assert start == {"type": "http.response.start", "status": 200, "headers": []}
    await exchange.lines_until("stdout")
    await exchange.hang_up()
    follower = Exchange(app, {"code": "1"})
    await follower.next()
    assert [line["type"] for line in await follower.lines_until("end_of_execution")] == [
        "number_of_executions",
        "result",
        "end_of_execution",
    ]
    await follower.task


async def test_silence_is_filled_for_the_run_but_not_for_the_queue(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "_KEEPALIVE_S", 0.05)
    running = Exchange(app, {"code": "import time\nwhile True: time.sleep(0.01)"})
    queued = Exchange(app, {"code": "1"})
    await running.next()
    await queued.next()
    for _ in range(3):
        assert (await running.lines_until("keepalive"))[-1] == {"type": "keepalive"}
    assert queued.sent.empty()
    await running.hang_up()
    assert (await queued.lines_until("end_of_execution"))[-1] == {"type": "end_of_execution"}
    await queued.task


async def test_a_request_that_is_cut_off_interrupts_its_run(app: App) -> None:
    running = Exchange(app, {"code": "print('on', flush=True)\nwhile True: pass"})
    await running.next()
    await running.lines_until("stdout")
    running.task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running.task
    follower = Exchange(app, {"code": "1"})
    await follower.next()
    await follower.lines_until("end_of_execution")
    await follower.task


async def test_runs_of_a_sandbox_that_ends_get_no_end(app: App, session: Session) -> None:
    running = Exchange(app, {"code": "print('on', flush=True)\nwhile True: pass"})
    await running.next()
    await running.lines_until("stdout")
    await session.interpreter.close()
    await wait_until_async(lambda: all(c.kernel is None for c in session.interpreter.contexts()))
    assert running.sent.empty()
    await running.hang_up()


async def test_an_unwarmed_host_answers_too(tmp_path: Path) -> None:
    host = KernelHost(spares=0, preload=())
    session = Session(host, tmp_path / "sandbox")
    try:
        async with client_of(App(session)) as client:
            answer = await client.post("/execute", json={"code": "1"})
            assert '"text": "1"' in answer.text
    finally:
        await session.interpreter.close()
        await host.close()
