"""What becomes due while nobody moves the clock."""

from __future__ import annotations

import asyncio

from fake_e2b.domain.clock import MovableClock
from fake_e2b.runtime.clock import SystemClock
from tests.unit.server.alarms import Alarms, running


def following() -> Alarms:
    return Alarms(MovableClock(SystemClock(), frozen=False))


async def rings(alarms: Alarms) -> None:
    await asyncio.wait_for(alarms.ringing.wait(), 20)


async def test_a_clock_that_stands_still_lets_nothing_happen() -> None:
    alarms = Alarms(MovableClock(SystemClock(), frozen=True))
    async with running(alarms):
        alarms.set(alarms.clock.now_ns() + 1)
        for _ in range(10):
            await asyncio.sleep(0)
        assert alarms.rang == []


async def test_a_deadline_that_comes_nearer_is_kept() -> None:
    alarms = following()
    async with running(alarms):
        alarms.set(alarms.clock.now_ns() + 3600 * 10**9)
        await asyncio.sleep(0)
        near_ns = alarms.clock.now_ns() + 10**7
        alarms.set(near_ns)
        await rings(alarms)
    [(at, now)] = alarms.rang
    assert at == near_ns
    assert now >= near_ns


async def test_what_ends_slowly_keeps_nothing_else_waiting() -> None:
    alarms = following()
    async with running(alarms):
        alarms.slow.add(1)
        alarms.set(1)
        await asyncio.sleep(0)
        alarms.set(2)
        await rings(alarms)
        assert [at for at, _ in alarms.rang] == [2]
        alarms.hurry.set()
    assert [at for at, _ in alarms.rang] == [2, 1]


async def test_a_failure_is_told_and_the_reaper_goes_on() -> None:
    alarms = following()
    alarms.failures = 1
    errors: list[BaseException] = []
    async with running(alarms, errors):
        alarms.set(1)
        await rings(alarms)
    assert [str(error) for error in errors] == ["broken alarm"]
    assert [at for at, _ in alarms.rang] == [1]


async def test_a_clock_that_is_let_go_reaches_its_deadlines_by_itself() -> None:
    alarms = Alarms(MovableClock(SystemClock(), frozen=True))
    async with running(alarms) as timekeeper:
        alarms.set(alarms.clock.now_ns() + 10**6)
        await timekeeper.follow()
        await rings(alarms)
