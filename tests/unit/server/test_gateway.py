from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from fake_e2b.backend.fates import Fates
from fake_e2b.backend.journal import Journal
from fake_e2b.backend.rates import Rates
from fake_e2b.backend.steering import RuleInForce, RuleTable
from fake_e2b.backend.store import Store
from fake_e2b.domain.clock import SECOND_NS
from fake_e2b.domain.control_errors import ProxyError, ProxyKind
from fake_e2b.domain.errors import GapError
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.steering.asked import Asked
from fake_e2b.server.dispatch import SignedFile
from fake_e2b.server.gateway import Gateway, Planes
from fake_e2b.server.host import ServerThread, listen
from fake_e2b.server.steering.layer import Steering
from fake_e2b.server.streams import App, OpenRequests, Receive, Scope, Send
from tests.helpers.clock import ManualClock
from tests.helpers.http import connected, exchange, head_of, read_answer, read_head
from tests.helpers.memory import MemoryRuntime
from tests.helpers.waiting import wait_until


class Nobody:
    """No sandbox is found, however it is asked for."""

    async def enter(self, sandbox_id: str, *, port: int, **tokens: object) -> Any:
        raise ProxyError(ProxyKind.SANDBOX_NOT_FOUND, sandbox_id=sandbox_id, port=port)

    def by_token(self, token: str) -> str | None:
        return None

    def by_signature(self, signed: SignedFile) -> str | None:
        return None

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *exc: object) -> None: ...


def _no_listener(each: RuleInForce, asked: Asked) -> None: ...


def _no_sandbox(sandbox_id: str) -> None: ...


class Served:
    """A gateway on a port, with one app for every plane."""

    def __init__(self, app: App) -> None:
        clock = ManualClock(1_800_000_000 * SECOND_NS)
        self.journal = Journal(clock, clock)
        gateway = Gateway(
            Planes(control=app, admin=app, envd=app, interpreter=app, proxy=app, uploads=app),
            entrance=Nobody(),
            index=Nobody(),
            open_requests=OpenRequests(),
            journal=self.journal,
            clock=clock,
            fates=Fates(Store(), clock, MemoryRuntime(), asyncio.Event, asyncio.sleep),
            rates=Rates(clock),
            steering=Steering(RuleTable(IdSource(1).dice, _no_listener), clock, _no_sandbox, {}),
        )
        self.thread = ServerThread(gateway, Nobody(), listen("127.0.0.1", 0))

    def ask(self, path: str = "/sandboxes", *headers: str) -> tuple[int, dict[str, str], bytes]:
        head = head_of(path, "Host: localhost", "Connection: close", *headers)
        return exchange(self.thread.port, head)


@pytest.fixture
def serve(request: pytest.FixtureRequest) -> Callable[[App], Served]:
    def start(app: App) -> Served:
        served = Served(app)
        served.thread.start()
        request.addfinalizer(served.thread.stop)
        return served

    return start


async def ok(scope: Scope, receive: Receive, send: Send) -> None:
    own_date = scope["path"] == "/sandboxes/dated"
    headers = [(b"content-length", b"2"), *([(b"date", b"mine")] if own_date else [])]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise KeyError("forgotten")


async def broken_midway(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise KeyError("forgotten")


async def unbuilt(scope: Scope, receive: Receive, send: Send) -> None:
    raise GapError("createVolume", "it needs mounts")


def test_an_unforeseen_failure_names_the_fake(serve: Callable[[App], Served]) -> None:
    served = serve(broken)
    with connected(served.thread.port) as connection:
        for _ in range(2):  # no worker dies, the connection goes on
            connection.sendall(head_of("/sandboxes", "Host: localhost"))
            status, headers, body = read_answer(connection)
            assert (status, headers["content-type"]) == (500, "application/json")
            told = json.loads(body)
            assert told["code"] == 500
            assert told["message"].startswith("fake-e2b failed")
            assert "forgotten" in told["message"]
            assert "Traceback" not in told["message"]
    records = served.journal.records()
    assert len(records) == 2
    for record in records:
        assert "in broken" in (record.traceback or "")


def test_a_failure_in_the_middle_breaks_the_answer(serve: Callable[[App], Served]) -> None:
    status, _, body = serve(broken_midway).ask()
    assert status == 200
    assert b"half" in body
    assert not body.endswith(b"0\r\n\r\n"), "the answer looks complete"


def test_a_gap_is_said_to_be_one(serve: Callable[[App], Served]) -> None:
    status, headers, body = serve(unbuilt).ask()
    assert (status, headers["x-fake-e2b-gap"]) == (501, "createVolume")
    assert json.loads(body) == {
        "code": 501,
        "message": "fake-e2b does not implement createVolume yet: it needs mounts",
    }


def test_every_answer_has_one_date_by_the_fakes_clock(serve: Callable[[App], Served]) -> None:
    served = serve(ok)
    assert served.ask()[1]["date"] == "Fri, 15 Jan 2027 08:00:00 GMT"
    assert served.ask("/sandboxes/dated")[1]["date"] == "mine"
    assert "date" in served.ask("/")[1]


def test_the_fakes_own_pages_stay_out_of_the_journal(serve: Callable[[App], Served]) -> None:
    served = serve(ok)
    served.ask("/_fake/state")
    served.ask("/sandboxes")
    assert [record.path for record in served.journal.records()] == ["/sandboxes"]


def test_a_refusal_of_the_dispatch_is_in_the_journal(serve: Callable[[App], Served]) -> None:
    served = serve(ok)
    assert served.ask("/", "E2b-Sandbox-Id: iabc")[::2] == (400, b"missing header\n")
    [record] = served.journal.records()
    wait_until(lambda: record.duration_ns is not None)
    assert (record.status, record.answer) == (400, "missing header\n")


def test_a_target_that_cannot_be_decoded_is_refused(serve: Callable[[App], Served]) -> None:
    served = serve(ok)
    for path in ("/%", "/%2", "/a%zz/b"):
        assert served.ask(path)[::2] == (400, b"400 Bad Request")


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://localhost/sandboxes", 200),
        ("http://localhost", 400),
        ("HTTP://3000-iabc.e2b.app/sandboxes?x=1", 502),
        ("*", 400),
        ("http://", 400),
    ],
)
def test_targets_as_http_proxies_get_them(
    serve: Callable[[App], Served], target: str, status: int
) -> None:
    head = head_of(target, "Host: elsewhere.example", "Connection: close", method="GET")
    assert exchange(serve(ok).thread.port, head)[0] == status


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "PROPFIND", "X"])
def test_unusual_methods_harm_nobody(serve: Callable[[App], Served], method: str) -> None:
    served = serve(ok)
    with connected(served.thread.port) as connection:
        host = "Host: 3000-iabc.e2b.app"
        connection.sendall(head_of("/", host, "Connection: close", method=method))
        assert read_head(connection)[0] == 502
    assert served.ask()[0] == 200
