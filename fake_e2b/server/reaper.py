"""Makes happen what is due: the only place where the fake waits for its own clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from fake_e2b.domain.clock import Clock
from fake_e2b.domain.due import Happening


class Due(Protocol):
    """Something that happens by itself."""

    @property
    def at_ns(self) -> int: ...


class Deadlines(Protocol):
    """See `fake_e2b.server.due.AllDue`."""

    def next_deadline(self) -> Due | None: ...
    def run_due(self) -> Coroutine[Any, Any, list[Happening]]: ...
    def on_deadline_change(self, listener: Callable[[], None], /) -> object: ...


class Reaper:
    """Waits for the next deadline, in real time, and runs what is due.

    What ends slowly keeps nothing else waiting: the next deadline is met while it ends.

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
        self._held = False
        self._ending: set[asyncio.Task[list[Happening]]] = set()
        deadlines.on_deadline_change(self._changed.set)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._changed.clear()
            due = None if self._held else self._deadlines.next_deadline()
            delay_s = None if due is None else self._clock.real_delay_s(due.at_ns)
            if delay_s is None or delay_s > 0:
                await self._wait(delay_s)
                continue
            try:
                ending = asyncio.create_task(self._deadlines.run_due(), name="fake-e2b due")
            except Exception as error:
                self._on_error(error)
                # What failed is still due: a turn for the others, not a busy loop.
                await self._wait(0.1)
                continue
            self._ending.add(ending)
            ending.add_done_callback(self._ended)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let nothing become due by itself within the block, whose code moves the clock."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            self._changed.set()

    async def settle(self) -> None:
        """Return when what became due by itself has happened."""
        while self._ending:
            await asyncio.wait(set(self._ending))

    def _ended(self, ending: asyncio.Task[list[Happening]]) -> None:
        self._ending.discard(ending)
        if not ending.cancelled() and (error := ending.exception()) is not None:
            self._on_error(error)

    async def _wait(self, delay_s: float | None) -> None:
        try:
            async with asyncio.timeout(delay_s):
                await self._changed.wait()
        except TimeoutError:
            return
