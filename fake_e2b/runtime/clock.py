"""The only reader of wall time."""

from __future__ import annotations

import time


class SystemClock:
    """The machine's clock, as the `Clock` port."""

    def now_ns(self) -> int:
        """Nanoseconds since the epoch, now."""
        return time.time_ns()

    def real_delay_s(self, until_ns: int) -> float | None:
        """Seconds until `until_ns`; 0 once it is reached."""
        return max(0, until_ns - time.time_ns()) / 1e9
