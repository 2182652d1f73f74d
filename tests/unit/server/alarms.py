"""Deadlines that only ring, and a server's reaper and timekeeper over them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from fake_e2b.domain.clock import MovableClock
from fake_e2b.domain.due import Deadline, Happening
from fake_e2b.domain.ids import SandboxID
from fake_e2b.server.reaper import Reaper
from fake_e2b.server.timekeeper import Timekeeper


class Alarms:
    """Deadlines that note when they went off; `slow` ones end only once `hurry` is set."""

    def __init__(self, clock: MovableClock) -> None:
        self.clock = clock
        self.pending: list[int] = []
        self.rang: list[tuple[int, int]] = []
        self.ringing = asyncio.Event()
        self.slow: set[int] = set()
        self.hurry = asyncio.Event()
        self.failures = 0
        self._listeners: list[Callable[[], None]] = []

    def set(self, at_ns: int) -> None:
        self.pending.append(at_ns)
        for listener in self._listeners:
            listener()

    def next_deadline(self) -> Deadline | None:
        if not self.pending:
            return None
        at_ns = min(self.pending)
        return Deadline(at_ns, "kill", _name(at_ns))

    def run_due(self) -> Coroutine[Any, Any, list[Happening]]:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("broken alarm")
        now_ns = self.clock.now_ns()
        due = sorted(at for at in self.pending if at <= now_ns)
        self.pending = [at for at in self.pending if at > now_ns]
        return self._ring(due, now_ns)

    async def _ring(self, due: list[int], now_ns: int) -> list[Happening]:
        if self.slow & set(due):
            await self.hurry.wait()
        self.rang += [(at, self.clock.now_ns()) for at in due]
        self.ringing.set()
        return [Happening(now_ns, "killed", _name(at)) for at in due]

    def on_deadline_change(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)


def _name(at_ns: int) -> SandboxID:
    return SandboxID(f"i{at_ns}")


@asynccontextmanager
async def running(
    alarms: Alarms, errors: list[BaseException] | None = None
) -> AsyncIterator[Timekeeper]:
    reaper = Reaper(alarms, alarms.clock, [].append if errors is None else errors.append)
    task = asyncio.create_task(reaper.run())
    await asyncio.sleep(0)
    try:
        yield Timekeeper(alarms.clock, alarms, reaper, _settled)
    finally:
        alarms.hurry.set()
        await reaper.settle()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _settled() -> None:
    """Nothing is ever under way."""
