"""Paused sandboxes and the traffic that wakes them, or may not."""

from __future__ import annotations

import json
import threading

import pytest
from e2b import Sandbox

from fake_e2b import FakeE2B
from tests.helpers.http import connected, exchange, head_of, read_answer
from tests.sdk.python.conftest import Service, start_service

WAKES = {"on_timeout": "pause", "auto_resume": True}
DENIED = (
    "This sandbox can't be resumed with the credentials provided. "
    "Check your access token and try again."
)


def told(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, str]:
    """Status and message of a refusal."""
    return answer[0], str(json.loads(answer[2])["message"])


def ask(fake: FakeE2B, sandbox: Sandbox, port: int, *headers: str) -> tuple[int, str]:
    head = head_of("/health", f"Host: {sandbox.get_host(port)}", "Connection: close", *headers)
    status, _, body = exchange(fake.port, head)
    return (status, "") if status < 300 else told((status, {}, body))


def state(sandbox: Sandbox) -> str:
    return str(sandbox.get_info().state.value)


@pytest.fixture
def sleeper(fake: FakeE2B) -> Service:
    """A service in a paused sandbox that traffic wakes."""
    service = start_service(fake, Sandbox.create(lifecycle=WAKES))
    service.sandbox.pause()
    return service


def test_a_request_wakes_it_and_is_served_as_if_nothing_had_been(sleeper: Service) -> None:
    status, _, body = sleeper.ask("/upload", "Content-Length: 5", method="PUT", body=b"12345")
    assert (status, body) == (200, b"5")
    assert state(sleeper.sandbox) == "running"


def test_so_does_one_to_a_closed_port_and_to_the_daemon(fake: FakeE2B) -> None:
    for port, headers, status in (
        (1, (), 502),
        (49983, ("X-Access-Token: {token}",), 204),
    ):
        sandbox = Sandbox.create(lifecycle=WAKES)
        token = sandbox.connection_config.sandbox_headers["X-Access-Token"]
        sandbox.pause()
        assert ask(fake, sandbox, port, *(h.format(token=token) for h in headers))[0] == status
        assert state(sandbox) == "running"


def test_is_running_wakes_it(sleeper: Service) -> None:
    assert sleeper.sandbox.is_running()
    assert state(sleeper.sandbox) == "running"


def test_many_requests_join_one_start(sleeper: Service) -> None:
    answers: list[int] = []

    def one(number: int) -> None:
        answers.append(sleeper.ask(f"/{number}")[0])

    threads = [threading.Thread(target=one, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 30
    assert [sandbox.sandbox_id for sandbox in sleeper.fake.sandboxes()] == [
        sleeper.sandbox.sandbox_id
    ]


@pytest.mark.parametrize(
    ("options", "pause"),
    [
        ({}, {}),
        ({"lifecycle": {"on_timeout": "pause", "auto_resume": False}}, {}),
        ({"lifecycle": WAKES}, {"keep_memory": False}),
    ],
    ids=["by-default", "switched-off", "no-memory"],
)
def test_what_may_not_wake_is_not_found(
    fake: FakeE2B, options: dict[str, object], pause: dict[str, bool]
) -> None:
    sandbox = Sandbox.create(**options)  # type: ignore[arg-type]
    token = sandbox.connection_config.sandbox_headers["X-Access-Token"]
    sandbox.pause(**pause)
    for port in (80, 49983):
        refused = ask(fake, sandbox, port, f"X-Access-Token: {token}")
        assert refused == (502, "The sandbox was not found")
    assert not sandbox.is_running()
    assert state(sandbox) == "paused"


@pytest.mark.parametrize("headers", [(), ("X-Access-Token: wrong",)])
def test_the_daemons_token_is_asked_for_even_by_open_routes(
    sleeper: Service, headers: tuple[str, ...]
) -> None:
    """`GET /health` of a running sandbox needs none."""
    assert ask(sleeper.fake, sleeper.sandbox, 49983, *headers) == (403, DENIED)
    assert state(sleeper.sandbox) == "paused"


def test_the_traffic_token_is_asked_for_before_it_wakes(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(lifecycle=WAKES, network={"allow_public_traffic": False})
    service = start_service(fake, sandbox)
    token = sandbox.traffic_access_token
    sandbox.pause()
    for headers in ((), ("e2b-traffic-access-token: wrong",)):
        assert told(service.ask("/", *headers)) == (403, DENIED)
        assert state(sandbox) == "paused"
    assert service.ask("/", f"e2b-traffic-access-token: {token}")[0] == 200
    # Running again, the token is what it was, and its absence has its own words.
    assert service.ask("/", f"e2b-traffic-access-token: {token}")[0] == 200
    assert "is missing" in told(service.ask("/"))[1]


def test_the_time_is_that_of_the_creation_and_five_minutes_at_least(fake: FakeE2B) -> None:
    for created, later, expected in ((10, 3000, 300), (900, 60, 900)):
        sandbox = Sandbox.create(timeout=created, lifecycle=WAKES)
        sandbox.set_timeout(later)
        sandbox.pause()
        assert ask(fake, sandbox, 1)[0] == 502
        info = sandbox.get_info()
        assert (info.end_at - info.started_at).total_seconds() == expected


def test_a_woken_sandbox_pauses_by_itself_and_wakes_again() -> None:
    with FakeE2B(runtime="local", clock="manual") as fake:
        service = start_service(fake, Sandbox.create(timeout=60, lifecycle=WAKES))
        for _ in range(2):
            assert service.ask("/")[0] == 200
            fake.clock.advance(seconds=301)
            assert state(service.sandbox) == "paused"
        assert service.ask("/")[0] == 200


def test_the_teams_limit_holds_for_traffic_too() -> None:
    with FakeE2B(runtime="local", max_sandboxes=1) as fake:
        sandbox = Sandbox.create(lifecycle=WAKES)
        sandbox.pause()
        other = Sandbox.create()
        status, message = ask(fake, sandbox, 80)
        assert status == 429
        assert message.startswith(
            "you have reached the maximum number of concurrent E2B sandboxes (1)."
        )
        other.kill()
        assert ask(fake, sandbox, 80)[0] == 502


def test_requests_are_held_while_it_pauses(fake: FakeE2B) -> None:
    """Whatever comes around the moment of a pause is served, or broken with what was open."""
    service = start_service(fake, Sandbox.create(lifecycle=WAKES))
    pausing = threading.Thread(target=service.sandbox.pause)
    with connected(fake.port) as connection:
        pausing.start()
        answers = 0
        while pausing.is_alive() or not answers:
            try:
                connection.sendall(head_of("/status/200", service.host))
                assert read_answer(connection)[0] == 200
            except ConnectionError:
                break
            answers += 1
        pausing.join()
    assert service.ask("/")[0] == 200
    assert state(service.sandbox) == "running"


@pytest.mark.parametrize("paused_before", [False, True])
def test_the_dead_do_not_wake(fake: FakeE2B, paused_before: bool) -> None:
    sandbox = Sandbox.create(lifecycle=WAKES)
    if paused_before:
        sandbox.pause()
    sandbox.kill()
    assert ask(fake, sandbox, 80) == (502, "The sandbox was not found")
    assert ask(fake, sandbox, 49983) == (502, "The sandbox was not found")


def test_an_answer_reaches_a_client_that_ended_its_side_while_it_woke_the_sandbox(
    fake: FakeE2B,
) -> None:
    sandbox = Sandbox.create(lifecycle=WAKES)
    service = start_service(fake, sandbox)
    sandbox.pause()
    with connected(fake.port) as connection:
        connection.sendall(head_of("/late/1", service.host))
        connection.shutdown(1)
        seen = b""
        while piece := connection.recv(65536):
            seen += piece
    assert seen.endswith(b"late")
