"""Waiting for others' changes of state, not for ever: without knowing a clock or an event loop."""

from __future__ import annotations

from typing import Protocol

from fake_e2b.domain.ports import Event


class Patience(Protocol):
    """How long one request may wait, all its waits together. The server brings a real one."""

    async def outlast(self, done: Event) -> bool:
        """Wait for `done`; False when the patience ends first."""
        ...


class Endless:
    """The plainest `Patience`."""

    async def outlast(self, done: Event) -> bool:
        """Wait as long as it takes."""
        await done.wait()
        return True
