"""A clock of plain values, for what only reads one."""

from __future__ import annotations


class ManualClock:
    """Stands still until it is moved."""

    def __init__(self, start_ns: int) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        return self._now_ns

    def real_delay_s(self, until_ns: int) -> float | None:
        return 0.0 if until_ns <= self._now_ns else None

    def move_to(self, instant_ns: int) -> None:
        assert instant_ns >= self._now_ns
        self._now_ns = instant_ns
