"""Moves of the clock, and what happens on their way."""

from __future__ import annotations

import asyncio

import pytest

from fake_e2b.domain.clock import LATEST_NS, MovableClock
from fake_e2b.domain.errors import UsageError
from tests.helpers.clock import ManualClock
from tests.unit.server.alarms import Alarms, running

START_NS = 1_800_000_000_000_000_000


def alarms_on(real: ManualClock, *, frozen: bool) -> Alarms:
    return Alarms(MovableClock(real, frozen=frozen))


@pytest.mark.parametrize("frozen", [True, False])
async def test_every_deadline_on_the_way_is_passed_at_its_own_instant(frozen: bool) -> None:
    alarms = alarms_on(ManualClock(START_NS), frozen=frozen)
    async with running(alarms) as timekeeper:
        for after in (300, 100, 900, 200, 100):
            alarms.set(START_NS + after)
        happened = await timekeeper.advance(500)
        assert [each.at_ns - START_NS for each in happened] == [100, 100, 200, 300]
        assert alarms.rang == [(START_NS + at, START_NS + at) for at in (100, 100, 200, 300)]
        assert alarms.clock.now_ns() == START_NS + 500
        assert alarms.clock.frozen is frozen
        assert alarms.pending == [START_NS + 900]


async def test_a_clock_that_follows_goes_on_from_where_it_was_moved_to() -> None:
    real = ManualClock(START_NS)
    alarms = alarms_on(real, frozen=False)
    async with running(alarms) as timekeeper:
        await timekeeper.advance(1_000)
        real.move_to(START_NS + 30)
        assert alarms.clock.now_ns() == START_NS + 1_030
        await timekeeper.freeze()
        real.move_to(START_NS + 60)
        assert alarms.clock.now_ns() == START_NS + 2_000
        await timekeeper.follow()
        real.move_to(START_NS + 70)
        assert alarms.clock.now_ns() == START_NS + 2_010


async def test_moves_at_once_happen_one_after_the_other() -> None:
    alarms = alarms_on(ManualClock(START_NS), frozen=True)
    alarms.slow.add(START_NS + 100)
    async with running(alarms) as timekeeper:
        for after in (100, 700):
            alarms.set(START_NS + after)
        moves = [asyncio.create_task(timekeeper.advance(500)) for _ in range(2)]
        frozen = asyncio.create_task(timekeeper.freeze())
        for _ in range(5):
            await asyncio.sleep(0)
        assert alarms.clock.now_ns() == START_NS + 100
        assert not frozen.done()
        alarms.hurry.set()
        first, second = await asyncio.gather(*moves)
        await frozen
    assert [each.at_ns - START_NS for each in first] == [100]
    assert [each.at_ns - START_NS for each in second] == [700]
    assert alarms.clock.now_ns() == START_NS + 1_000


async def test_what_became_due_by_itself_is_waited_for_and_not_told_twice() -> None:
    alarms = alarms_on(ManualClock(START_NS), frozen=False)
    alarms.slow.add(START_NS)
    async with running(alarms) as timekeeper:
        alarms.set(START_NS)
        for _ in range(5):
            await asyncio.sleep(0)
        assert alarms.pending == []
        advancing = asyncio.create_task(timekeeper.advance(10))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not advancing.done()
        alarms.hurry.set()
        assert await advancing == []
    assert [at for at, _ in alarms.rang] == [START_NS]


async def test_what_comes_up_during_a_move_happens_in_it() -> None:
    alarms = alarms_on(ManualClock(START_NS), frozen=True)
    alarms.slow.add(START_NS + 100)
    async with running(alarms) as timekeeper:
        alarms.set(START_NS + 100)
        moving = asyncio.create_task(timekeeper.advance(500))
        for _ in range(5):
            await asyncio.sleep(0)
        alarms.set(START_NS + 50)
        alarms.set(START_NS + 400)
        alarms.hurry.set()
        assert [each.at_ns - START_NS for each in await moving] == [100, 100, 400]


async def test_a_failure_on_the_way_is_raised_and_leaves_the_clock_as_it_went() -> None:
    alarms = alarms_on(ManualClock(START_NS), frozen=False)
    alarms.failures = 1
    async with running(alarms) as timekeeper:
        alarms.set(START_NS + 100)
        with pytest.raises(RuntimeError, match="broken alarm"):
            await timekeeper.advance(500)
        assert not alarms.clock.frozen
        assert alarms.clock.now_ns() == START_NS + 100


async def test_it_is_set_forward_only_and_not_beyond_the_last_year() -> None:
    alarms = alarms_on(ManualClock(START_NS + 999), frozen=False)
    async with running(alarms) as timekeeper:
        # The datetime that shows this very instant has no nanoseconds.
        assert await timekeeper.set(START_NS) == []
        assert alarms.clock.now_ns() == START_NS + 1_000
        await timekeeper.set(START_NS + 5_000)
        assert alarms.clock.now_ns() == START_NS + 5_000
        for wrong in (START_NS, LATEST_NS + 1):
            with pytest.raises(UsageError):
                await timekeeper.set(wrong)
        with pytest.raises(UsageError, match="2200"):
            await timekeeper.advance(LATEST_NS)
        assert alarms.clock.now_ns() == START_NS + 5_000


async def test_a_restart_shows_real_time_in_the_first_mode() -> None:
    real = ManualClock(START_NS)
    alarms = alarms_on(real, frozen=False)
    async with running(alarms) as timekeeper:
        await timekeeper.advance(10**15)
        await timekeeper.freeze()
        await timekeeper.restart()
        assert (alarms.clock.now_ns(), alarms.clock.frozen) == (START_NS, False)
