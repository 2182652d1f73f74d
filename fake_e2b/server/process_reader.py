"""Programs that the fake starts by itself: read to their ends, their last words kept."""

from __future__ import annotations

import asyncio

from fake_e2b.domain.ports import Process
from fake_e2b.domain.process import Output, ProcessExit

_SHOWN = 2000
"""Bytes of a program's last output that an error tells."""


class Reader:
    """Reads a process to its end, so that it never waits for a reader; keeps the last it said."""

    def __init__(self, process: Process) -> None:
        self.tail = b""
        self.process = process
        self.task = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> ProcessExit:
        with self.process.subscribe() as events:
            async for event in events:
                if isinstance(event, Output):
                    self.tail = (self.tail + event.data)[-_SHOWN:]
        return await self.process.wait()

    @property
    def said(self) -> str:
        """Its last words, after a colon; nothing when it said nothing."""
        text = self.tail.decode(errors="replace").strip()
        return f": {text}" if text else ""
