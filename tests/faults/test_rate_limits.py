"""A window that slides on the fake's clock."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from e2b import RateLimitException, Sandbox

from fake_e2b import FakeE2B, effects


@pytest.fixture(scope="module")
def server() -> Iterator[FakeE2B]:
    with FakeE2B(runtime="local", clock="manual") as fake:
        yield fake


def test_more_than_so_many_in_a_time_are_refused(fake: FakeE2B) -> None:
    fault = fake.faults.add("listSandboxes", effects.RateLimit(2, per_s=30))
    first, second, third = (_ask(fake) for _ in range(3))
    assert [each.status_code for each in (first, second, third)] == [200, 200, 429]
    assert second.headers["RateLimit-Limit"] == "2"
    assert second.headers["RateLimit-Remaining"] == "0"
    assert third.headers["Retry-After"] == third.headers["RateLimit-Reset"] == "30"
    assert third.json() == {"code": 429, "message": "Rate limit exceeded"}
    assert (fault.hits, fault.seen) == (1, 3)


def test_the_window_slides_on_the_fakes_clock(fake: FakeE2B) -> None:
    fake.faults.add("listSandboxes", effects.RateLimit(2, per_s=30))
    statuses = []
    for seconds in (0, 20, 5, 5, 1):
        fake.clock.advance(seconds=seconds)
        statuses.append(_ask(fake).status_code)
    assert statuses == [200, 200, 429, 200, 429]


def test_each_key_has_a_window_of_its_own(fake: FakeE2B) -> None:
    fake.faults.add("listSandboxes", effects.RateLimit(1, per_s=30, by="key"))
    assert _ask(fake).status_code == 200
    assert _ask(fake, "e2b_" + "0" * 40).status_code == 401
    assert _ask(fake).status_code == 429


def test_what_the_sdk_makes_of_it(fake: FakeE2B) -> None:
    fake.faults.add("createSandbox", effects.RateLimit(1, per_s=1000))
    Sandbox.create()
    with pytest.raises(RateLimitException, match="Rate limit exceeded"):
        # It would wait as long as it is told to, had it the time.
        Sandbox.create(request_timeout=5)


def _ask(fake: FakeE2B, key: str | None = None) -> httpx.Response:
    return httpx.get(f"{fake.url}/v2/sandboxes", headers={"X-API-Key": key or fake.api_key})


def test_the_published_limits(fake: FakeE2B) -> None:
    fake.faults.profile("rate-limited")
    statuses = []
    for seconds in (0, 0, 1, 0.5):
        fake.clock.advance(seconds=seconds)
        statuses.append(_create(fake))
    assert [each.status_code for each in statuses] == [201, 429, 201, 429]
    assert statuses[1].headers["Retry-After"] == "1"
    assert _ask(fake).headers["RateLimit-Limit"] == "20000"
    sandbox = Sandbox.connect(statuses[0].json()["sandboxID"])
    assert sandbox.commands.run("echo on").stdout == "on\n"


def _create(fake: FakeE2B) -> httpx.Response:
    headers = {"X-API-Key": fake.api_key}
    return httpx.post(f"{fake.url}/sandboxes", headers=headers, json={"templateID": "base"})
