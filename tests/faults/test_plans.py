"""The limits of plans, and the profile that loses files."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from e2b import AsyncSandbox, RateLimitException, Sandbox, SandboxException

from fake_e2b import FakeE2B, UsageError, effects


@pytest.fixture(scope="module")
def server() -> Iterator[FakeE2B]:
    with FakeE2B(runtime="local", clock="manual", seed=1) as fake:
        yield fake


def _create(fake: FakeE2B, count: int) -> list[Sandbox]:
    made = []
    for _ in range(count):
        made.append(Sandbox.create(retries=0))
        fake.clock.advance(seconds=1)
    return made


def test_a_hobbyist_has_twenty_for_an_hour_one_in_a_second(fake: FakeE2B) -> None:
    plan = fake.faults.profile("hobby-plan")
    limits = fake.faults.get("hobby-plan: limits (seed 1)")
    first, *_ = _create(fake, 20)
    with pytest.raises(RateLimitException, match=r"concurrent E2B sandboxes \(20\)"):
        Sandbox.create(retries=0)
    assert limits.hits == 1
    fake.clock.advance(seconds=1)
    with pytest.raises(SandboxException, match="Timeout cannot be greater than 1 hours"):
        Sandbox.create(timeout=3601, retries=0)
    assert limits.hits == 2
    first.pause()
    fake.clock.advance(seconds=1)
    Sandbox.create(retries=0)
    with pytest.raises(RateLimitException, match="Rate limit exceeded"):
        Sandbox.create(retries=0)
    with pytest.raises(RateLimitException, match=r"sandboxes \(20\)"):
        first.connect(retries=0)
    plan.remove()
    Sandbox.create(timeout=3601)
    first.connect()


def test_what_is_set_is_clamped_to_the_plan(fake: FakeE2B) -> None:
    fake.faults.profile("hobby-plan")
    [sandbox] = _create(fake, 1)
    sandbox.set_timeout(7200)
    lasts = sandbox.get_info().end_at - sandbox.get_info().started_at
    assert lasts.total_seconds() == 3600


async def test_a_professional_makes_five_in_a_second(fake: FakeE2B) -> None:
    fake.faults.profile("pro-plan")
    for _ in range(5):
        await AsyncSandbox.create(timeout=24 * 3600)
    with pytest.raises(RateLimitException, match="Rate limit exceeded"):
        await AsyncSandbox.create(retries=0)
    fake.clock.advance(seconds=1)
    with pytest.raises(SandboxException, match="Timeout cannot be greater than 24 hours"):
        await AsyncSandbox.create(timeout=24 * 3600 + 1, retries=0)


def test_a_plan_for_one_key(fake: FakeE2B) -> None:
    fault = fake.faults.add(
        "createSandbox", effects.PlanLimits(concurrent_sandboxes=1), api_key="e2b_" + "0" * 40
    )
    _create(fake, 2)
    assert fault.hits == 0
    mine = fake.faults.add(
        "createSandbox", effects.PlanLimits(concurrent_sandboxes=2), api_key=fake.api_key
    )
    with pytest.raises(RateLimitException):
        Sandbox.create()
    assert mine.hits == 1


def test_traffic_wakes_none_beyond_the_plan(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(lifecycle={"on_timeout": "pause", "auto_resume": True})
    sandbox.pause()
    Sandbox.create()
    fault = fake.faults.add("*", effects.PlanLimits(concurrent_sandboxes=1))
    with pytest.raises(RateLimitException, match=r"sandboxes \(1\)"):
        sandbox.files.read("a")
    assert fault.hits == 1


def test_a_plan_without_limits_is_refused(fake: FakeE2B) -> None:
    with pytest.raises(UsageError, match="say concurrent_sandboxes"):
        fake.faults.add_table({"effect": {"kind": "plan-limits"}})
    with pytest.raises(UsageError, match="max_length_hours is at least 1"):
        fake.faults.add_table({"effect": {"kind": "plan-limits", "maxLengthHours": 0}})


def test_the_profile_that_loses_files(fake: FakeE2B) -> None:
    with fake.faults.profile("lossy-resume") as lossy:
        sandbox = Sandbox.create()
        for text in ("1", "2"):
            sandbox.files.write("text", text)
            sandbox.pause()
            sandbox.connect()
        assert sandbox.files.read("text") == "1"
        assert [fault.hits for fault in lossy.faults] == [1]
