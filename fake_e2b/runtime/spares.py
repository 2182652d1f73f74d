"""Things made ahead of need, so that whoever asks for one does not wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

Made = TypeVar("Made")

_LEISURE_S = 0.1


class Spares(Generic[Made]):
    """A bounded store that fills itself.

    A few are replaced at once. The rest, which a burst of requests lives on, are made one by one
    while nobody asks for any: a server that is used for a moment never has them, and a busy one
    has its processor for those who wait.

    Args:
        make: Makes one; some milliseconds of a processor.
        at_hand: How many are replaced at once; 0 for no spares at all.
        most: How many there are at rest.
    """

    def __init__(self, make: Callable[[], Awaitable[Made]], *, at_hand: int, most: int) -> None:
        self._make = make
        self._at_hand = at_hand
        self._most = most if at_hand else 0
        self._ready: deque[Made] = deque()
        self._changed = asyncio.Event()
        self._filling: asyncio.Task[None] | None = None
        self._pausing = False
        self._quiet_from_s = 0.0
        self._closed = False

    def __len__(self) -> int:
        return len(self._ready)

    def fill(self) -> None:
        """See to it that there are enough, by and by."""
        if not self._closed and (self._filling is None or self._filling.done()):
            self._filling = asyncio.get_running_loop().create_task(self._fill())
            self._filling.add_done_callback(self._ended)

    def _ended(self, filling: asyncio.Task[None]) -> None:
        # Whoever waits for the first is told of a failure; the others make their own, and see it.
        if not filling.cancelled():
            filling.exception()
        self._changed.set()

    async def one(self) -> None:
        """Wait until one is ready, or could not be made.

        Raises:
            Exception: What `make` raised.
        """
        self.fill()
        assert self._filling is not None
        while not self._ready and not self._filling.done():
            self._changed.clear()
            await self._changed.wait()
        if self._filling.done():
            self._filling.result()

    def take(self) -> Made | None:
        """One that is ready, if any; who finds none makes its own and has it filled afterwards."""
        if not self._ready:
            return None
        self._rest()
        self.fill()
        return self._ready.popleft()

    async def close(self) -> list[Made]:
        """Make no more; returns those nobody took."""
        self._closed = True
        if self._filling is not None:
            if self._pausing:
                self._filling.cancel()
            with suppress(Exception, asyncio.CancelledError):
                await self._filling
        left = list(self._ready)
        self._ready.clear()
        return left

    async def _fill(self) -> None:
        while not self._closed and len(self._ready) < self._most:
            if len(self._ready) >= self._at_hand and await self._pause():
                continue
            self._ready.append(await self._make())
            self._rest()
            self._changed.set()

    def _rest(self) -> None:
        self._quiet_from_s = asyncio.get_running_loop().time() + _LEISURE_S

    async def _pause(self) -> bool:
        """Wait for a quiet moment; whether it was none yet."""
        left_s = self._quiet_from_s - asyncio.get_running_loop().time()
        if left_s <= 0:
            return False
        self._pausing = True
        try:
            await asyncio.sleep(left_s)
        finally:
            self._pausing = False
        return True
