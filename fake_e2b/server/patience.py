"""Requests that are held while a sandbox changes its state are not held for ever."""

from __future__ import annotations

import asyncio

from fake_e2b.domain.ports import Event


class LimitedPatience:
    """So many seconds for all waits of one request together."""

    def __init__(self, seconds: float) -> None:
        self._until = asyncio.get_running_loop().time() + seconds

    async def outlast(self, done: Event) -> bool:
        """Wait for `done`; False when the time is up first."""
        try:
            async with asyncio.timeout_at(self._until):
                await done.wait()
        except TimeoutError:
            return False
        return True
