from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fake_e2b.admin.recorder import Recorder, identify, leave_traceback, record_of
from fake_e2b.backend.journal import Journal
from fake_e2b.domain.errors import GapError
from tests.helpers.asgi import client_of
from tests.helpers.clock import ManualClock


async def create(request: Request) -> Response:
    identify(request.scope)
    await request.body()
    return JSONResponse({"sandboxID": "i0a"}, 201)


async def start(request: Request) -> Response:
    identify(request.scope, sandbox_id="i0a", port=49983)
    return Response(b"", 200)


async def refuse(request: Request) -> Response:
    identify(request.scope)
    return JSONResponse({"code": 404, "message": "gone"}, 404)


async def say(request: Request) -> Response:
    return Response("some text", request.path_params["status"], media_type="text/plain")


async def fail(request: Request) -> Response:
    raise ArithmeticError("the fake is wrong")


async def hide(request: Request) -> Response:
    leave_traceback(request.scope, ArithmeticError("hidden"))
    return Response(b"", 500)


ROUTES = [
    Route("/sandboxes", create, methods=["POST"]),
    Route("/process.Process/Start", start, methods=["POST"]),
    Route("/sandboxes/{id}", refuse),
    Route("/text/{status:int}", say),
    Route("/fail", fail),
    Route("/hide", hide),
]


@pytest.fixture
def journal():
    clock = ManualClock(0)
    return Journal(clock, clock)


@pytest.fixture
def client(journal):
    return client_of(Recorder(Starlette(routes=ROUTES), journal))


async def test_a_request_is_recorded_from_its_arrival_to_its_end(client, journal):
    await client.post(
        "/sandboxes?a=1", json={"templateID": "base"}, headers={"X-API-Key": "k" * 20}
    )
    (record,) = journal.records()
    assert (record.operation, record.method, record.path) == (
        "createSandbox",
        "POST",
        "/sandboxes?a=1",
    )
    assert (record.status, record.received, record.sent) == (201, 21, 19)
    assert record.body.replace(" ", "") == '{"templateID":"base"}'
    assert record.duration_ns == 0
    assert dict(record.headers)["x-api-key"] == "****kkkk"


async def test_traffic_of_a_sandbox_is_named_by_its_port(client, journal):
    await client.post("/process.Process/Start")
    (record,) = journal.records()
    assert (record.operation, record.sandbox_id) == ("Process.Start", "i0a")


async def test_json_answers_and_the_texts_of_refusals_are_kept(client, journal):
    await client.get("/sandboxes/i0b")
    await client.post("/sandboxes", json={})
    await client.get("/text/200")
    await client.get("/text/500")
    assert [record.answer for record in journal.records()] == [
        '{"code":404,"message":"gone"}',
        '{"sandboxID":"i0a"}',
        "",
        "some text",
    ]


async def test_a_request_that_makes_a_sandbox_is_the_sandboxs(client, journal):
    await client.post("/sandboxes", json={})
    assert [record.sandbox_id for record in journal.records()] == ["i0a"]


async def test_a_body_that_comes_in_pieces_is_kept_whole(client, journal):
    async def pieces():
        for piece in (b'{"templateID": ', b'"base",', b' "timeout": 5}'):
            yield piece

    await client.post("/sandboxes", content=pieces(), headers={"Content-Type": "application/json"})
    (record,) = journal.records()
    assert record.json == {"templateID": "base", "timeout": 5}
    assert record.received == 36


@pytest.mark.parametrize(("path", "text"), [("/fail", "the fake is wrong"), ("/hide", "hidden")])
async def test_a_failure_of_the_fake_leaves_its_traceback(client, journal, path, text):
    await client.get(path)
    (record,) = journal.records()
    assert record.traceback is not None
    assert f"ArithmeticError: {text}" in record.traceback
    assert record.duration_ns is not None


def test_outside_a_recorder_there_is_nothing_to_name():
    scope: dict[str, object] = {}
    identify(scope)
    leave_traceback(scope, ValueError())
    assert record_of(scope) is None


async def test_a_gap_is_no_failure_of_the_fake(journal):
    async def app(scope, receive, send):
        raise GapError("createSnapshot")

    await client_of(Recorder(app, journal)).post("/sandboxes/i0a/snapshots")
    (record,) = journal.records()
    assert record.traceback is None


async def test_the_lifespan_passes_unrecorded(journal):
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])

    await Recorder(app, journal)({"type": "lifespan"}, None, None)
    assert seen == ["lifespan"]
    assert not journal.records()
