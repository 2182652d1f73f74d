"""The limits and rates of the service's plans, seen by its SDKs."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from e2b import AsyncSandbox, RateLimitException, Sandbox, SandboxException

from fake_e2b import FakeE2B, UsageError
from fake_e2b.domain.plan import API_RATE, TRAFFIC_RATE
from fake_e2b.domain.team import Team

OTHER = "e2b_" + "0b" * 20
FREE = "e2b_" + "0c" * 20
TOO_FAST = "Rate limit exceeded"


@pytest.fixture(scope="module")
def server() -> Iterator[FakeE2B]:
    with FakeE2B(
        runtime="local",
        clock="manual",
        teams={"other": [OTHER], "free": [FREE]},
        plan={"fake": "hobby", "other": "pro"},
    ) as fake:
        yield fake


def create(fake: FakeE2B, count: int) -> list[Sandbox]:
    """So many sandboxes, one in a second."""
    made = []
    for _ in range(count):
        fake.clock.advance(seconds=1)
        made.append(Sandbox.create("base", retries=0))
    return made


def first_team(fake: FakeE2B) -> Team:
    inside, _ = fake._fake_and_thread()
    return next(iter(inside.backend.teams))


def test_a_hobbyist_has_twenty_at_once(fake: FakeE2B) -> None:
    first, *_ = create(fake, 20)
    fake.clock.advance(seconds=1)
    with pytest.raises(RateLimitException, match=r"concurrent E2B sandboxes \(20\)"):
        Sandbox.create("base", retries=0)
    first.pause()
    fake.clock.advance(seconds=1)
    Sandbox.create("base", retries=0)
    with pytest.raises(RateLimitException, match=r"concurrent E2B sandboxes \(20\)"):
        first.connect(retries=0)


def test_a_hobbyists_sandbox_lasts_an_hour(fake: FakeE2B) -> None:
    [sandbox] = create(fake, 1)
    sandbox.set_timeout(2 * 3600)
    info = sandbox.get_info()
    assert (info.end_at - info.started_at).total_seconds() == 3600
    fake.clock.advance(seconds=1)
    with pytest.raises(SandboxException, match="Timeout cannot be greater than 1 hours"):
        Sandbox.create("base", timeout=3601, retries=0)


def test_a_hobbyist_creates_one_in_a_second(fake: FakeE2B) -> None:
    fake.clock.advance(seconds=1)
    asked = {"headers": {"X-API-Key": fake.api_key}, "json": {"templateID": "base"}}
    made = httpx.post(f"{fake.url}/v2/sandboxes", **asked)
    assert made.status_code == 201
    names = ("limit", "remaining", "reset")
    assert [made.headers[f"ratelimit-{each}"] for each in names] == ["1", "0", "1"]
    refused = httpx.post(f"{fake.url}/v2/sandboxes", **asked)
    assert (refused.status_code, refused.json()) == (429, {"code": 429, "message": TOO_FAST})
    assert refused.headers["retry-after"] == "1"
    assert "should-retry" not in refused.headers
    with pytest.raises(RateLimitException, match=TOO_FAST):
        Sandbox.create("base", retries=0)
    assert len(Sandbox.list(retries=0).next_items()) == 1
    fake.clock.advance(seconds=1)
    assert httpx.post(f"{fake.url}/v2/sandboxes", **asked).status_code == 201


def test_what_is_no_request_is_not_counted(fake: FakeE2B) -> None:
    fake.clock.advance(seconds=1)
    url, headers = f"{fake.url}/v2/sandboxes", {"X-API-Key": fake.api_key}
    for asked in ({"templateID": 1}, {}):
        assert httpx.post(url, headers=headers, json=asked).status_code == 400
    assert httpx.post(url, json={"templateID": "base"}).status_code == 401
    assert "ratelimit-limit" not in httpx.post(url, json={}).headers
    unknown = httpx.post(url, headers=headers, json={"templateID": "unknown"})
    assert (unknown.status_code, unknown.headers["ratelimit-remaining"]) == (404, "0")
    with pytest.raises(RateLimitException, match=TOO_FAST):
        Sandbox.create("base", retries=0)


async def test_a_professional_creates_five_in_a_second_for_a_day(fake: FakeE2B) -> None:
    for _ in range(5):
        await AsyncSandbox.create("base", timeout=24 * 3600, api_key=OTHER)
    with pytest.raises(RateLimitException, match=TOO_FAST):
        await AsyncSandbox.create("base", api_key=OTHER, retries=0)
    fake.clock.advance(seconds=1)
    with pytest.raises(SandboxException, match="Timeout cannot be greater than 24 hours"):
        await AsyncSandbox.create("base", timeout=24 * 3600 + 1, api_key=OTHER, retries=0)


def test_a_professional_has_a_hundred_at_once(fake: FakeE2B) -> None:
    sandbox = Sandbox.create("base", api_key=OTHER)
    url = f"{fake.url}/sandboxes/{sandbox.sandbox_id}/fork"
    answer = httpx.post(url, headers={"X-API-Key": OTHER}, json={"count": 100})
    limit = "Count must be lower than the maximum number of concurrent sandboxes (100)"
    assert (answer.status_code, answer.json()["message"]) == (400, limit)


def test_a_team_without_a_plan_is_not_counted(fake: FakeE2B) -> None:
    for _ in range(3):
        Sandbox.create("base", api_key=FREE, retries=0)
    listed = httpx.get(f"{fake.url}/v2/sandboxes", headers={"X-API-Key": FREE})
    assert "ratelimit-limit" not in listed.headers


def test_a_team_asks_twenty_thousand_times_in_thirty_seconds(fake: FakeE2B) -> None:
    inside, _ = fake._fake_and_thread()
    fake.clock.advance(seconds=30)
    for _ in range(API_RATE.requests - 1):
        inside.backend.rates.take(first_team(fake), "listSandboxes")
    assert Sandbox.list(retries=0).next_items() == []
    fake.clock.advance(seconds=29)
    with pytest.raises(RateLimitException, match=TOO_FAST):
        Sandbox.list(retries=0).next_items()
    refused = httpx.get(f"{fake.url}/v2/sandboxes", headers={"X-API-Key": fake.api_key})
    assert refused.headers["ratelimit-limit"] == "20000"
    fake.clock.advance(seconds=1)
    assert Sandbox.list(retries=0).next_items() == []


def test_an_address_reaches_in_forty_thousand_times_in_a_minute(fake: FakeE2B) -> None:
    inside, _ = fake._fake_and_thread()
    [sandbox] = create(fake, 1)
    for _ in range(TRAFFIC_RATE.requests - 1):
        inside.backend.rates.traffic("127.0.0.1")
    assert sandbox.commands.run("echo last").stdout == "last\n"
    with pytest.raises(RateLimitException, match=TOO_FAST):
        sandbox.commands.run("echo more")
    with pytest.raises(RateLimitException, match=TOO_FAST):
        sandbox.files.read("a")
    fake.clock.advance(seconds=60)
    assert sandbox.commands.run("echo again").stdout == "again\n"


def test_a_reset_forgets_what_was_counted(fake: FakeE2B) -> None:
    create(fake, 1)
    fake.reset()
    Sandbox.create("base", retries=0)


def test_limits_of_ones_own_count_before_the_plans() -> None:
    with FakeE2B(runtime="local", plan="hobby", max_sandboxes=1, max_length_hours=2) as fake:
        assert fake.faults.list() == []
        Sandbox.create("base", timeout=7200, retries=0)
        team = first_team(fake)
        assert (team.concurrent_sandboxes, team.max_length_hours) == (1, 2)


def test_without_a_plan_there_are_generous_limits_and_no_rates() -> None:
    with FakeE2B(runtime="local") as fake:
        team = first_team(fake)
        assert (team.concurrent_sandboxes, team.max_length_hours) == (1100, 24)
        listed = httpx.get(f"{fake.url}/v2/sandboxes", headers={"X-API-Key": fake.api_key})
        assert "ratelimit-limit" not in listed.headers


def test_an_unknown_plan_or_team_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'hobby'"), FakeE2B(plan="hoby"):
        pass
    with pytest.raises(UsageError, match="there is no team 'acme', only fake, other"):
        FakeE2B(plan={"acme": "pro"}, teams={"other": []}).start()
