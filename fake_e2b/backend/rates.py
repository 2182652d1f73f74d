"""How fast teams may ask, and addresses reach into sandboxes, where plans are in force.

Facts: control.plans, control.limits.rate
"""

from __future__ import annotations

from fake_e2b.domain.clock import Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.ids import TeamID
from fake_e2b.domain.plan import API_RATE, TRAFFIC_RATE, Plan
from fake_e2b.domain.rate import Allowance, Window
from fake_e2b.domain.team import Team

_CREATE = "createSandbox"


class Rates:
    """Counts what was asked, by the fake's clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._api: dict[TeamID, Window] = {}
        self._creates: dict[TeamID, Window] = {}
        self._addresses: dict[str, Window] = {}
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
        left = _window(self._api, team, Window(API_RATE)).take(now_ns)
        if operation == _CREATE and not left.over:
            left = _window(self._creates, team, Window(plan.creates)).take(now_ns)
        if left.over:
            raise ControlError(ControlKind.RATE_LIMIT, allowance=left)
        return left

    def traffic(self, address: str) -> Allowance | None:
        """Count a request into a sandbox; None where there are no plans."""
        if not self._has_plans:
            return None
        window = self._addresses.setdefault(address, Window(TRAFFIC_RATE))
        return window.take(self._clock.now_ns())

    def clear(self) -> None:
        """Forget what was counted."""
        self._api.clear()
        self._creates.clear()
        self._addresses.clear()


def _window(windows: dict[TeamID, Window], team: Team, fresh: Window) -> Window:
    return windows.setdefault(team.team_id, fresh)
