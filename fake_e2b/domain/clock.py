"""The clock that every rule reads.

Instants are integers: nanoseconds since 1970-01-01T00:00:00Z. Names that hold one end in `_ns`.
"""

from __future__ import annotations

from typing import Protocol

SECOND_NS = 1_000_000_000


class Clock(Protocol):
    """Where the fake takes "now" from."""

    def now_ns(self) -> int:
        """The current instant."""
        ...

    def real_delay_s(self, until_ns: int) -> float | None:
        """Real seconds until `until_ns` is reached by itself; None if it never is."""
        ...


class ManualClock:
    """A clock that stands still until it is moved.

    Args:
        start_ns: The first instant it shows.
    """

    def __init__(self, start_ns: int) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        """The instant it was last moved to."""
        return self._now_ns

    def real_delay_s(self, until_ns: int) -> float | None:
        """0 if the instant is reached, else None: no real waiting brings it nearer."""
        return 0.0 if until_ns <= self._now_ns else None

    def move_to(self, instant_ns: int) -> None:
        """Show `instant_ns` from now on; a clock never goes back.

        Raises:
            ValueError: `instant_ns` lies before the instant shown.
        """
        if instant_ns < self._now_ns:
            raise ValueError("a clock cannot be moved back")
        self._now_ns = instant_ns
