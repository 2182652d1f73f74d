"""The same by the fake's own pages, as a test in any language would."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from e2b import RateLimitException, Sandbox

from fake_e2b import FakeE2B
from tests.helpers.waiting import wait_until


@pytest.fixture
def pages(fake: FakeE2B) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{fake.url}/_fake", timeout=60) as client:
        yield client


def test_a_rule_is_put_in_force_seen_and_taken_back(pages: httpx.Client) -> None:
    table = {
        "name": "busy",
        "match": {"operation": "createSandbox"},
        "effect": {"kind": "status", "status": 429},
        "times": 1,
    }
    made = pages.post("/faults", json=table)
    assert made.status_code == 201
    shown = {**table, "at": "arrived", "seed": None, "hits": 0, "seen": 0, "spent": False}
    assert made.json() == shown
    with pytest.raises(RateLimitException):
        Sandbox.create()
    Sandbox.create().kill()
    assert pages.get("/faults/busy").json()["hits"] == 1
    assert pages.get("/faults").json()["faults"][0]["spent"] is True
    assert pages.delete("/faults/busy").status_code == 200
    assert pages.get("/faults").json() == {"faults": []}


def test_what_is_wrong_is_said_and_changes_nothing(pages: httpx.Client) -> None:
    refused = [
        (pages.post("/faults", json={"effect": {"kind": "statsu"}}), "did you mean 'status'"),
        (
            pages.post("/faults", json={"match": {"operation": "createSandbx"}, "effect": {}}),
            "did you mean 'createSandbox'",
        ),
        (pages.post("/faults", json={"effect": {"kind": "refuse"}}), "say for how long"),
        (pages.post("/profiles", json={"name": "strickt"}), "did you mean 'strict'"),
        (pages.post("/profiles", json={"nam": "strict"}), "did you mean 'name'"),
        (pages.delete("/profiles/strict"), "is not in force"),
        (pages.post("/faults", content=b"nope"), "is not JSON; send {"),
        (pages.delete("/faults/none"), "there is no rule 'none'"),
        (pages.get("/gates/none"), "there is no rule 'none'"),
        (pages.post("/gates", json={"effect": {"kind": "hold"}}), "no effect of its own"),
        (pages.post("/faults", json={"effect": {"kind": "hold"}}), "POST /_fake/gates"),
    ]
    for answer, text in refused:
        assert answer.status_code == 400
        assert text in answer.json()["message"]
    assert pages.get("/faults").json() == {"faults": []}
    assert pages.get("/gates").json() == {"gates": []}


def test_a_create_is_held_awaited_and_let_go(fake: FakeE2B, pages: httpx.Client) -> None:
    pages.post("/gates", json={"name": "door", "match": {"operation": "createSandbox"}})
    with ThreadPoolExecutor(1) as pool:
        creating = pool.submit(Sandbox.create)
        waited = pages.post("/gates/door/wait")
        assert (waited.status_code, waited.json()["held"]) == (200, 1)
        assert waited.json()["arrived"][0]["operation"] == "createSandbox"
        assert not fake.sandboxes()
        assert pages.post("/gates/door/release").json()["released"] == 1
        assert creating.result().is_running()
    more = pages.post("/gates/door/wait", json={"count": 2, "timeoutS": 0})
    assert (more.status_code, more.json()["open"]) == (408, True)
    assert pages.delete("/gates/door").status_code == 200
    assert pages.get("/gates").json() == {"gates": []}


def test_a_gate_is_no_fault_and_a_fault_no_gate(pages: httpx.Client) -> None:
    pages.post("/gates", json={"name": "door"})
    pages.post("/faults", json={"name": "ill", "effect": {"kind": "close"}, "times": 1})
    assert pages.get("/faults/door").status_code == 400
    assert pages.get("/gates/ill").status_code == 400
    assert [each["name"] for each in pages.get("/faults").json()["faults"]] == ["ill"]
    assert [each["name"] for each in pages.delete("/gates").json()["gates"]] == ["door"]
    assert [each["name"] for each in pages.delete("/faults").json()["faults"]] == ["ill"]


def test_a_profile_is_put_in_force_and_taken_back(pages: httpx.Client) -> None:
    listed = {each["name"]: each for each in pages.get("/profiles").json()["profiles"]}
    assert listed["strict"]["faults"] == []
    made = pages.post("/profiles", json={"name": "strict", "seed": 7})
    assert made.status_code == 201
    assert made.json()["faults"][0]["name"] == "strict: order (seed 7)"
    Sandbox.create().kill()
    gone = pages.delete("/profiles/strict").json()
    assert any(each["hits"] for each in gone["faults"])
    assert pages.get("/faults").json() == {"faults": []}


def test_connections_are_refused_for_a_time(fake: FakeE2B, pages: httpx.Client) -> None:
    rule = {"effect": {"kind": "refuse", "seconds": 0.3}}
    assert pages.post("/faults", json=rule).status_code == 201
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{fake.url}/health")
    wait_until(lambda: _answers(fake))


def _answers(fake: FakeE2B) -> bool:
    try:
        return httpx.get(f"{fake.url}/health").status_code == 200
    except httpx.ConnectError:
        return False
