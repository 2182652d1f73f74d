"""Ends the serving of a request early, for the two reasons a client has."""

from __future__ import annotations

import asyncio
from enum import Enum, auto

from fake_e2b.data_plane.asgi import Receive


class Interruption(Enum):
    """Why the serving of a request was ended."""

    DEADLINE = auto()
    CLIENT_GONE = auto()


class Guard:
    """Interrupts the current task when the deadline passes or the client leaves."""

    __slots__ = ("_handles", "_interrupted", "_loop", "_receive", "_task", "_watcher")

    def __init__(self, receive: Receive, deadline: float | None) -> None:
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._watcher: asyncio.Task[None] | None = None
        self._interrupted: Interruption | None = None
        self._handles: list[asyncio.TimerHandle] = []
        if deadline is not None:
            self._handles.append(
                self._loop.call_at(deadline, self._interrupt, Interruption.DEADLINE)
            )

    def watch_later(self, delay_s: float) -> None:
        """Notice the client's leaving from `delay_s` on; the whole request was received."""
        if delay_s:
            self._handles.append(self._loop.call_later(delay_s, self._watch))
        else:
            self._watch()

    def _watch(self) -> None:
        self._watcher = self._loop.create_task(self._wait_until_gone())

    async def _wait_until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._interrupt(Interruption.CLIENT_GONE)

    def _interrupt(self, reason: Interruption) -> None:
        if self._interrupted is None and self._task is not None:
            self._interrupted = reason
            self._task.cancel()

    def disarm(self) -> None:
        """Interrupt no more."""
        for handle in self._handles:
            handle.cancel()
        self._handles.clear()
        if self._watcher is not None:
            self._watcher.cancel()

    def interruption_behind(self, error: asyncio.CancelledError) -> Interruption:
        """Why the task was cancelled, which ends the cancellation.

        Raises:
            CancelledError: `error` itself, when it came from elsewhere, be it besides.
        """
        if self._interrupted is None or self._task is None or self._task.uncancel() > 0:
            raise error
        return self._interrupted
