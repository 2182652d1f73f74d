"""A team's metrics: what its sandboxes amounted to on the fake's clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from e2b import Sandbox

from fake_e2b import FakeE2B

QUERY = "validation error: error in openapi3filter.RequestError: parameter "


@pytest.fixture
def api(fake: FakeE2B) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fake.url, headers={"X-API-Key": fake.api_key}) as client:
        yield client


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["message"]


def begin(fake: FakeE2B) -> int:
    """Move just behind the start of a span of any width; returns that in seconds."""
    fake.clock.advance(seconds=3600 - fake.clock.now.timestamp() % 3600 + 0.001)
    return round(fake.clock.now.timestamp())


def points(answer: httpx.Response) -> list[tuple[int, int, float]]:
    assert answer.status_code == 200, answer.text
    listed: list[dict[str, Any]] = answer.json()
    return [
        (each["timestampUnix"], each["concurrentSandboxes"], each["sandboxStartRate"])
        for each in listed
    ]


def test_what_ran_and_started(fake: FakeE2B, api: httpx.Client) -> None:
    start = begin(fake)
    path = f"/teams/{fake.team_id}/metrics"
    query = {"start": start, "end": start + 60}
    assert points(api.get(path, params=query)) == []
    first, second = Sandbox.create("base"), Sandbox.create("base")
    fake.clock.advance(seconds=5)
    first.pause()
    fake.clock.advance(seconds=5)
    second.kill()
    fake.clock.advance(seconds=10)
    assert points(api.get(path, params=query)) == [
        (start, 2, 0.4),
        (start + 5, 2, 0),
        (start + 10, 1, 0),
    ]
    first.connect()
    assert points(api.get(path, params=query))[3:] == [(start + 20, 1, 0.2)]
    assert points(api.get(path, params={"start": start + 5, "end": start + 9})) == [
        (start + 5, 2, 0)
    ]


def test_spans_are_wider_in_a_wider_range(fake: FakeE2B, api: httpx.Client) -> None:
    start = begin(fake)
    Sandbox.create("base", timeout=600)
    fake.clock.advance(seconds=3599)
    [only] = points(api.get(f"/teams/{fake.team_id}/metrics"))
    assert only == (start, 1, 1 / 900)
    fine = points(
        api.get(f"/teams/{fake.team_id}/metrics", params={"start": start, "end": start + 3600})
    )
    assert [at for at, _, _ in fine] == list(range(start, start + 601, 30))


def test_the_highest_values(fake: FakeE2B, api: httpx.Client) -> None:
    start = begin(fake)
    path = f"/teams/{fake.team_id}/metrics/max"

    def highest(metric: str) -> tuple[int, float]:
        query = {"metric": metric, "start": start, "end": start + 60}
        answer = api.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()["timestampUnix"], answer.json()["value"]

    assert highest("concurrent_sandboxes") == (start + 60, 0)
    Sandbox.create("base")
    fake.clock.advance(seconds=10)
    Sandbox.create("base")
    assert highest("concurrent_sandboxes") == (start + 10, 2)
    assert highest("sandbox_start_rate") == (start, 0.2)


def test_what_is_refused(fake: FakeE2B, api: httpx.Client) -> None:
    mine = f"/teams/{fake.team_id}/metrics"
    for end in ("metrics", "metrics/max?metric=concurrent_sandboxes"):
        assert refusal(api.get(f"/teams/somebody/{end}")) == (
            403,
            f"You ({fake.team_id}) are not authorized to access this team's (somebody) metrics",
        )
    assert refusal(api.get(mine, params={"start": 2, "end": 1})) == (
        400,
        "start time cannot be after end time",
    )
    assert refusal(api.get(mine, params={"start": -1})) == (
        400,
        f'{QUERY}"start" in query has an error: number must be at least 0',
    )
    assert refusal(api.get(f"{mine}/max")) == (
        400,
        f'{QUERY}"metric" in query has an error: value is required but missing',
    )
    assert refusal(api.get(f"{mine}/max", params={"metric": "x"})) == (
        400,
        f'{QUERY}"metric" in query has an error: value is not one of the allowed values '
        '["concurrent_sandboxes","sandbox_start_rate"]',
    )
