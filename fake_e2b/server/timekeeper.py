"""Moves the fake's clock: one move at a time, each through everything that is due on its way.

Facts: fake.clock.modes, fake.clock.advance
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from fake_e2b.domain.clock import LATEST_NS, MovableClock, to_datetime
from fake_e2b.domain.due import Happening
from fake_e2b.domain.errors import UsageError
from fake_e2b.server.reaper import Deadlines, Reaper


class Timekeeper:
    """The one who may move the clock.

    Moves that are asked for at once happen one after the other, whole: two of ten seconds are one
    of twenty.

    Args:
        reaper: Makes happen what becomes due while nobody moves the clock.
        settle: Waits for the deliveries under way, so that each has an instant of its own.
    """

    def __init__(
        self,
        clock: MovableClock,
        deadlines: Deadlines,
        reaper: Reaper,
        settle: Callable[[], Awaitable[None]],
    ) -> None:
        self._clock = clock
        self._deadlines = deadlines
        self._reaper = reaper
        self._settle = settle
        self._moving = asyncio.Lock()

    async def advance(self, by_ns: int) -> list[Happening]:
        """Move on by so much; see `_move`.

        Raises:
            UsageError: That leads beyond `LATEST_NS`.
        """
        async with self._moving:
            return await self._move(self._clock.now_ns() + by_ns)

    async def set(self, to_ns: int) -> list[Happening]:
        """Move on to an instant; see `_move`.

        Raises:
            UsageError: It lies before the present one, or beyond `LATEST_NS`.
        """
        async with self._moving:
            now_ns = self._clock.now_ns()
            # A datetime has microseconds: the one that shows this very instant is not before it.
            if to_ns < now_ns // 1000 * 1000:
                raise UsageError(
                    f"a clock only moves forward: it is {to_datetime(now_ns).isoformat()}, "
                    f"which is after {to_datetime(to_ns).isoformat()}"
                )
            return await self._move(max(to_ns, now_ns))

    async def freeze(self) -> None:
        """Stand still from now on."""
        async with self._moving:
            with self._reaper.held():
                self._clock.freeze()

    async def follow(self) -> None:
        """Go on as fast as real time does."""
        async with self._moving:
            with self._reaper.held():
                self._clock.follow()

    async def restart(self) -> None:
        """As `MovableClock.restart`, once nothing is moved any more."""
        async with self._moving:
            with self._reaper.held():
                self._clock.restart()

    async def _move(self, to_ns: int) -> list[Happening]:
        """Pass every deadline on the way, each at its own instant.

        The clock stands still meanwhile, so that what a kill takes in real time makes nothing late.
        A clock that follows goes on from `to_ns`.

        Returns:
            What has happened on the way, in order. What became due before has happened, too.
        """
        if to_ns > LATEST_NS:
            raise UsageError(f"a clock goes no further than {to_datetime(LATEST_NS).isoformat()}")
        follows = not self._clock.frozen
        happened: list[Happening] = []
        with self._reaper.held():
            self._clock.freeze()
            try:
                await self._reaper.settle()
                await self._settle()
                while (due := self._deadlines.next_deadline()) is not None and due.at_ns <= to_ns:
                    self._clock.move_to(max(due.at_ns, self._clock.now_ns()))
                    happened += await self._deadlines.run_due()
                    await self._settle()
                self._clock.move_to(max(to_ns, self._clock.now_ns()))
            finally:
                if follows:
                    self._clock.follow()
        return happened
