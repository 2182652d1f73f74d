"""Gates: where requests wait until a test lets them go."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator

from fake_e2b.domain.steering.asked import Asked


class Gate:
    """One rule's gate; used on the server's loop only.

    Attributes:
        arrived: Every request that came to it, in order.
        is_open: Whether it holds nobody any more.
    """

    def __init__(self) -> None:
        self.arrived: list[Asked] = []
        self.is_open = False
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._changed = asyncio.Condition()

    @property
    def held(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def hold(self, asked: Asked) -> None:
        """Wait to be let go."""
        pass_ = asyncio.get_running_loop().create_future()
        self.arrived.append(asked)
        if self.is_open:
            pass_.set_result(None)
        else:
            self._waiting.append(pass_)
        await self._tell()
        try:
            await pass_
        finally:
            if pass_ in self._waiting:
                self._waiting.remove(pass_)

    async def wait_arrived(self, count: int, timeout_s: float) -> bool:
        """Whether `count` requests came to it, in all, within the time."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: len(self.arrived) >= count)
        except TimeoutError:
            return False
        return True

    def release(self, count: int | None = None) -> int:
        """Let the first `count` go; all, and those to come, when it is None.

        Returns:
            How many went.
        """
        if count is None:
            self.is_open = True
        gone = 0
        while self._waiting and (count is None or gone < count):
            pass_ = self._waiting.popleft()
            if not pass_.done():
                pass_.set_result(None)
                gone += 1
        return gone

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class Gates:
    """The gates of all rules that hold, by the rules' names."""

    def __init__(self) -> None:
        self._gates: dict[str, Gate] = {}

    def __iter__(self) -> Iterator[tuple[str, Gate]]:
        return iter(list(self._gates.items()))

    def gate(self, name: str) -> Gate:
        """The gate of a rule, made when first asked for."""
        return self._gates.setdefault(name, Gate())

    def end(self, name: str) -> None:
        """The rule is gone: let everybody go."""
        gate = self._gates.pop(name, None)
        if gate is not None:
            gate.release()
