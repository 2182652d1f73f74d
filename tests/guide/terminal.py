"""Waiting for a terminal to show something, as a person at it would."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Iterable

Pieces = Iterable[tuple[str | None, str | None, bytes | None]]


def read_until(terminal: Pieces, wanted: str, before: str = "") -> str:
    """What a sync handle brings up to and with `wanted`; fails when the terminal ends before.

    Args:
        before: What it brought already; `wanted` may begin there.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    shown = ""
    for _, _, data in terminal:
        shown += decoder.decode(data or b"")
        if wanted in before + shown:
            return shown
    raise AssertionError(f"the terminal ended without {wanted!r}; it showed {shown!r}")


class Screen:
    """Collects what `on_data` gets; `until` waits for a text."""

    def __init__(self) -> None:
        self.shown = ""
        self._changed = asyncio.Event()

    def on_data(self, data: bytes) -> None:
        self.shown += data.decode(errors="replace")
        self._changed.set()

    async def until(self, wanted: str, timeout_s: float = 20) -> str:
        async with asyncio.timeout(timeout_s):
            while wanted not in self.shown:
                self._changed.clear()
                await self._changed.wait()
        return self.shown
