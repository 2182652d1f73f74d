"""How fast may be asked: so many requests in a window of time that slides."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import ceil

from fake_e2b.domain.clock import SECOND_NS


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in any such time."""

    requests: int
    per_s: float


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a rate.

    Attributes:
        reset_s: Whole seconds until more is left, at least one.
        over: The request that asked is one too many.
    """

    limit: int
    remaining: int
    reset_s: int
    over: bool


@dataclass(slots=True)
class Window:
    """The requests that still count."""

    rate: Rate
    _passed: deque[int] = field(default_factory=deque)

    def take(self, now_ns: int) -> Allowance:
        """Count one more request, unless it is one too many."""
        rate, passed = self.rate, self._passed
        since_ns = now_ns - round(rate.per_s * SECOND_NS)
        while passed and passed[0] <= since_ns:
            passed.popleft()
        over = len(passed) >= rate.requests
        if not over:
            passed.append(now_ns)
        oldest_s = (passed[0] - now_ns) / SECOND_NS + rate.per_s
        return Allowance(rate.requests, rate.requests - len(passed), max(1, ceil(oldest_s)), over)
