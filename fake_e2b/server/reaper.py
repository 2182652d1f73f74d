"""Makes happen what is due: the only place where the fake waits for its own clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from fake_e2b.domain.clock import Clock, ManualClock


class Deadlines(Protocol):
    """What `fake_e2b.backend.sandboxes.Sandboxes` offers about time."""

    def next_deadline_ns(self) -> int | None: ...
    async def run_due(self) -> Sequence[Any]: ...
    def on_deadline_change(self, listener: Callable[[], None], /) -> object: ...


class Reaper:
    """Waits for the next deadline, in real time, and runs what is due.

    Args:
        on_error: Told of an unforeseen failure; the reaper goes on.
    """

    def __init__(
        self, deadlines: Deadlines, clock: Clock, on_error: Callable[[BaseException], None]
    ) -> None:
        self._deadlines = deadlines
        self._clock = clock
        self._on_error = on_error
        self._changed = asyncio.Event()
        # One at a time: a manual clock's owner and this task may both find something due.
        self._running = asyncio.Lock()
        deadlines.on_deadline_change(self._changed.set)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._changed.clear()
            due_ns = self._deadlines.next_deadline_ns()
            delay_s = None if due_ns is None else self._clock.real_delay_s(due_ns)
            if delay_s is None or delay_s > 0:
                await self._wait(delay_s)
                continue
            try:
                await self._run_due()
            except Exception as error:
                self._on_error(error)
                # What failed is still due: a turn for the others, not a busy loop.
                await self._wait(0.1)

    async def advance(self, clock: ManualClock, by_ns: int) -> list[Any]:
        """Move a manual clock through every deadline on the way, each at its own instant.

        Returns:
            What happened, in order, as `run_due` names it.
        """
        target_ns = clock.now_ns() + by_ns
        happened: list[Any] = []
        while (due_ns := self._deadlines.next_deadline_ns()) is not None and due_ns <= target_ns:
            clock.move_to(max(due_ns, clock.now_ns()))
            happened += await self._run_due()
        clock.move_to(target_ns)
        return happened

    async def _run_due(self) -> Sequence[Any]:
        async with self._running:
            return await self._deadlines.run_due()

    async def _wait(self, delay_s: float | None) -> None:
        try:
            async with asyncio.timeout(delay_s):
                await self._changed.wait()
        except TimeoutError:
            return
