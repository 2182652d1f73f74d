"""How fast teams may ask, and addresses reach into sandboxes, where plans are in force.

Facts: control.plans, control.limits.rate
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import ceil

from fake_e2b.domain.clock import SECOND_NS, Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.ids import TeamID
from fake_e2b.domain.plan import API_RATE, TRAFFIC_RATE, Allowance, Plan, Rate
from fake_e2b.domain.team import Team

_CREATE = "createSandbox"


@dataclass(slots=True)
class _Window:
    """Requests in a window that slides."""

    rate: Rate
    _passed: deque[int] = field(default_factory=deque)

    def take(self, now_ns: int) -> Allowance:
        """Count one more request, unless it is one too many."""
        rate, passed = self.rate, self._passed
        while passed and passed[0] <= now_ns - rate.per_s * SECOND_NS:
            passed.popleft()
        over = len(passed) >= rate.requests
        if not over:
            passed.append(now_ns)
        oldest_s = (passed[0] - now_ns) / SECOND_NS + rate.per_s
        return Allowance(rate.requests, rate.requests - len(passed), max(1, ceil(oldest_s)), over)


class Rates:
    """Counts what was asked, by the fake's clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._api: dict[TeamID, _Window] = {}
        self._creates: dict[TeamID, _Window] = {}
        self._addresses: dict[str, _Window] = {}
        self._has_plans = False

    def expect_plans(self) -> None:
        """Count traffic as well, which belongs to no team."""
        self._has_plans = True

    def take(self, team: Team, operation: str) -> Allowance | None:
        """Count a request to the API; None for a team without a plan.

        Raises:
            ControlError: RATE_LIMIT, with the `allowance`.
        """
        plan: Plan | None = team.plan
        if plan is None:
            return None
        now_ns = self._clock.now_ns()
        left = _window(self._api, team, _Window(API_RATE)).take(now_ns)
        if operation == _CREATE and not left.over:
            left = _window(self._creates, team, _Window(plan.creates)).take(now_ns)
        if left.over:
            raise ControlError(ControlKind.RATE_LIMIT, allowance=left)
        return left

    def traffic(self, address: str) -> Allowance | None:
        """Count a request into a sandbox; None where there are no plans."""
        if not self._has_plans:
            return None
        window = self._addresses.setdefault(address, _Window(TRAFFIC_RATE))
        return window.take(self._clock.now_ns())

    def clear(self) -> None:
        """Forget what was counted."""
        self._api.clear()
        self._creates.clear()
        self._addresses.clear()


def _window(windows: dict[TeamID, _Window], team: Team, fresh: _Window) -> _Window:
    return windows.setdefault(team.team_id, fresh)
