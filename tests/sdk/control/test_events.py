"""The events of sandboxes, as whoever asks for them sees them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from e2b import Sandbox

from fake_e2b import FakeE2B

LIFE = "sandbox.lifecycle."


@pytest.fixture
def api(fake: FakeE2B) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fake.url, headers={"X-API-Key": fake.api_key}) as client:
        yield client


def events(api: httpx.Client, sandbox_id: str = "", **query: Any) -> list[dict[str, Any]]:
    path = f"/events/sandboxes/{sandbox_id}" if sandbox_id else "/events/sandboxes"
    answer = api.get(path, params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def kinds(found: list[dict[str, Any]]) -> list[str]:
    return [each["type"].removeprefix(LIFE) for each in found]


def test_a_life_is_told(fake: FakeE2B, api: httpx.Client) -> None:
    sandbox = Sandbox.create(timeout=60)
    sandbox.set_timeout(100)
    sandbox.create_snapshot()
    [fork] = sandbox.fork()
    sandbox.pause()
    sandbox.connect(timeout=60)
    sandbox.connect(timeout=90)
    sandbox.kill()
    assert kinds(events(api, sandbox.sandbox_id, orderAsc="true")) == [
        "created",
        "updated",
        "checkpointed",
        "checkpointed",
        "paused",
        "resumed",
        "updated",
        "killed",
    ]
    assert isinstance(fork, Sandbox)
    assert kinds(events(api, fork.sandbox_id)) == ["resumed"]


def test_an_event_has_its_fields(fake: FakeE2B, api: httpx.Client) -> None:
    sandbox = Sandbox.create()
    info = api.get(f"/sandboxes/{sandbox.sandbox_id}").json()
    [created] = events(api)
    assert created["sandboxId"] == sandbox.sandbox_id
    assert created["sandboxTemplateId"] == info["templateID"]
    assert created["timestamp"] == info["startedAt"]
    assert created["version"] == "v2"
    assert (created["eventCategory"], created["eventLabel"]) == ("lifecycle", "create")
    assert created["eventData"] is None
    assert created["sandboxBuildId"]
    assert created["sandboxTeamId"]
    assert created.keys() == {
        "id", "version", "type", "eventCategory", "eventLabel", "eventData", "timestamp",
        "sandboxId", "sandboxExecutionId", "sandboxTemplateId", "sandboxBuildId", "sandboxTeamId",
    }  # fmt: skip


def test_each_run_has_an_execution(fake: FakeE2B, api: httpx.Client) -> None:
    sandbox = Sandbox.create(timeout=600, metadata={"user": "7"})
    fake.clock.advance(seconds=5)
    sandbox.create_snapshot()
    sandbox.pause()
    sandbox.connect()
    sandbox.pause()
    sandbox.kill()
    told = events(api, orderAsc="true")
    first, snapshot, pause, resumed, second_pause, killed = told
    assert snapshot["sandboxExecutionId"] == first["sandboxExecutionId"]
    assert pause["sandboxExecutionId"] == first["sandboxExecutionId"]
    assert resumed["sandboxExecutionId"] != first["sandboxExecutionId"]
    assert len({each["id"] for each in told}) == len(told)
    assert all(each["eventData"]["sandbox_metadata"] == {"user": "7"} for each in told)
    assert pause["eventData"]["execution"] == {
        "started_at": first["timestamp"],
        "vcpu_count": 2,
        "memory_mb": 512,
        "execution_time": 5_000,
    }
    assert second_pause["eventData"]["execution"]["execution_time"] == 0
    # It did not run any more.
    assert killed["eventData"] == {"sandbox_metadata": {"user": "7"}, "kill_reason": "request"}


def test_a_kill_says_why(fake: FakeE2B, api: httpx.Client) -> None:
    asked, expired, dead = (Sandbox.create(timeout=30) for _ in range(3))
    asked.kill()
    fake.sandbox(dead).die()
    fake.clock.advance(seconds=31)

    def reason(sandbox: Sandbox) -> str:
        [killed] = events(api, sandbox.sandbox_id, types=f"{LIFE}killed")
        said: str = killed["eventData"]["kill_reason"]
        return said

    assert [reason(each) for each in (asked, expired, dead)] == ["request", "timeout", "unknown"]
    paused = Sandbox.create(timeout=30, lifecycle={"on_timeout": "pause"})
    fake.clock.advance(seconds=31)
    paused.kill()
    assert reason(paused) == "request"


def test_an_update_says_what_changed(fake: FakeE2B, api: httpx.Client) -> None:
    sandbox = Sandbox.create(timeout=60)
    sandbox.set_timeout(100)
    api.put(
        f"/sandboxes/{sandbox.sandbox_id}/network",
        json={"allowOut": ["10.0.0.0/8", "example.com"], "denyOut": ["0.0.0.0/0"]},
    )
    network, timeout, _ = events(api)
    end = api.get(f"/sandboxes/{sandbox.sandbox_id}").json()["endAt"]
    assert timeout["eventData"] == {"set_timeout": end}
    assert network["eventData"] == {
        "network_egress": {
            "allowed_cidrs": ["10.0.0.0/8"],
            "denied_cidrs": ["0.0.0.0/0"],
            "allowed_domains": ["example.com"],
        }
    }


def test_pages_filters_and_order(fake: FakeE2B, api: httpx.Client) -> None:
    for _ in range(6):
        Sandbox.create().kill()
        fake.clock.advance(seconds=1)
    newest = events(api)
    assert len(newest) == 10
    assert kinds(newest) == ["killed", "created"] * 5
    oldest = events(api, orderAsc="true", limit=100)
    assert oldest == events(api, limit=100)[::-1]
    assert events(api, offset=10) == oldest[1::-1]
    assert events(api, offset=12) == []
    assert kinds(events(api, types=f"{LIFE}created", limit=2)) == ["created"] * 2
    both = [f"{LIFE}created", f"{LIFE}killed"]
    assert events(api, types=both, limit=100) == oldest[::-1]
    assert events(api, types=f"{LIFE}paused") == []


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("limit=0", 'parameter "limit" in query has an error: number must be at least 1'),
        ("limit=101", 'parameter "limit" in query has an error: number must be at most 100'),
        ("offset=-1", 'parameter "offset" in query has an error: number must be at least 0'),
        ("orderAsc=yes", "value yes: an invalid boolean: invalid syntax"),
        ("types=created", "value is not one of the allowed values"),
        ("types=sandbox.lifecycle.killed&types=x", "value is not one of the allowed values"),
    ],
)
def test_queries_that_are_refused(api: httpx.Client, query: str, text: str) -> None:
    answer = api.get(f"/events/sandboxes?{query}")
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("validation error: ")
    assert text in answer.json()["message"]


def test_an_unknown_sandbox_has_none(api: httpx.Client) -> None:
    assert events(api, "inobody0000000000000") == []
    assert api.get("/events/sandboxes/No-Such").status_code == 400


def test_they_are_kept_for_a_week(fake: FakeE2B, api: httpx.Client) -> None:
    Sandbox.create().kill()
    fake.clock.advance(seconds=7 * 24 * 3600)
    assert len(events(api)) == 2
    fake.clock.advance(seconds=1)
    sandbox = Sandbox.create()
    assert [each["sandboxId"] for each in events(api)] == [sandbox.sandbox_id]
    fake.reset()
    assert events(api) == []


def test_a_team_sees_its_own(fake: FakeE2B, api: httpx.Client) -> None:
    with FakeE2B(runtime="local", teams={"other": ["e2b_" + "a" * 40]}) as both:
        sandbox = Sandbox.create()
        theirs = {"X-API-Key": "e2b_" + "a" * 40}
        for path in ("", f"/{sandbox.sandbox_id}"):
            url = f"{both.url}/events/sandboxes{path}"
            assert httpx.get(url, headers=theirs).json() == []
            assert len(httpx.get(url, headers={"X-API-Key": both.api_key}).json()) == 1
