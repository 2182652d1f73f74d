"""Waiting for signals in the main thread, without running anything inside a handler."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from types import FrameType, TracebackType

NOTIFIED = 0
"""What `SignalPipe.next` gives after a `notify`; no signal has this number."""


class SignalPipe:
    """For the length of a block, the given signals are queued instead of acting.

    Signals that were ignored before (``nohup``, background jobs of scripts) stay ignored.
    """

    def __init__(self, signals: Iterable[signal.Signals]) -> None:
        self._signals = tuple(signals)
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> SignalPipe:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        # Written by the C handler whichever thread the kernel picks: a blocked main thread wakes.
        self._wakeup_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in self._signals:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, _queued)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # as signal() returned it
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._reader)
        os.close(self._writer)

    def next(self) -> int:
        """Wait for the next signal, or for `notify`; its number, or `NOTIFIED`."""
        while True:
            number = os.read(self._reader, 1)[0]
            if number == NOTIFIED or number in self._before:
                return number

    def pending(self) -> int | None:
        """The next signal if one came already, else None."""
        os.set_blocking(self._reader, False)
        try:
            with contextlib.suppress(BlockingIOError):
                return self.next()
            return None
        finally:
            os.set_blocking(self._reader, True)

    def notify(self) -> None:
        """Make `next` return; from any thread."""
        os.write(self._writer, bytes([NOTIFIED]))


def _queued(number: int, frame: FrameType | None) -> None:
    """The wake-up descriptor got it already."""
