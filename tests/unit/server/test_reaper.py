from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fake_e2b.domain.clock import Clock, ManualClock
from fake_e2b.runtime.clock import SystemClock
from fake_e2b.server.reaper import Reaper


class Alarms:
    """Deadlines that note when they went off."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.pending: list[int] = []
        self.rang: list[tuple[int, int]] = []
        self.ringing = asyncio.Event()
        self.failures = 0
        self._listeners: list[Callable[[], None]] = []

    def set(self, at_ns: int) -> None:
        self.pending.append(at_ns)
        for listener in self._listeners:
            listener()

    def next_deadline_ns(self) -> int | None:
        return min(self.pending, default=None)

    async def run_due(self) -> list[int]:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("broken alarm")
        now_ns = self.clock.now_ns()
        due = sorted(at for at in self.pending if at <= now_ns)
        self.pending = [at for at in self.pending if at > now_ns]
        self.rang += [(at, now_ns) for at in due]
        self.ringing.set()
        return due

    def on_deadline_change(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)


@asynccontextmanager
async def running(alarms: Alarms, errors: list[BaseException]) -> AsyncIterator[Reaper]:
    reaper = Reaper(alarms, alarms.clock, errors.append)
    task = asyncio.create_task(reaper.run())
    await asyncio.sleep(0)
    try:
        yield reaper
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_manual_clock_passes_every_deadline_at_its_own_instant() -> None:
    clock = ManualClock(1000)
    alarms = Alarms(clock)
    async with running(alarms, []) as reaper:
        for at in (1300, 1100, 1900, 1200):
            alarms.set(at)
        assert await reaper.advance(clock, 500) == [1100, 1200, 1300]
    assert alarms.rang == [(1100, 1100), (1200, 1200), (1300, 1300)]
    assert clock.now_ns() == 1500
    assert alarms.pending == [1900]


async def test_a_manual_clock_that_stands_still_lets_nothing_happen() -> None:
    alarms = Alarms(ManualClock(1000))
    async with running(alarms, []):
        alarms.set(1001)
        for _ in range(10):
            await asyncio.sleep(0)
        assert alarms.rang == []


async def test_a_deadline_that_comes_nearer_is_kept() -> None:
    clock = SystemClock()
    alarms = Alarms(clock)
    async with running(alarms, []):
        alarms.set(clock.now_ns() + 3600 * 10**9)
        await asyncio.sleep(0)
        near_ns = clock.now_ns() + 10**7
        alarms.set(near_ns)
        await asyncio.wait_for(alarms.ringing.wait(), 10)
    [(at, now)] = alarms.rang
    assert at == near_ns
    assert now >= near_ns


async def test_a_failure_is_told_and_the_reaper_goes_on() -> None:
    alarms = Alarms(SystemClock())
    alarms.failures = 1
    errors: list[BaseException] = []
    async with running(alarms, errors):
        alarms.set(1)
        await asyncio.wait_for(alarms.ringing.wait(), 10)
    assert [str(error) for error in errors] == ["broken alarm"]
    assert [at for at, _ in alarms.rang] == [1]
