"""The builds that are under way, as tasks of the server's loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

LOGGER = logging.getLogger("fake_e2b.server")


class BuildTasks:
    """Runs builds aside, and waits for those that were cancelled."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, build: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a build aside; cancelling the task ends it."""
        task = asyncio.get_running_loop().create_task(build)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    async def close(self) -> None:
        """End all, and wait until nothing of them is left."""
        for task in self._tasks:
            # One that is cleaning up is not to be interrupted in that.
            if not task.cancelling():
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            LOGGER.error("a template build failed", exc_info=error)
