"""How many sandboxes of a team ran and were started, from what happened to them.

Fact: teams.metrics
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from fake_e2b.backend.metrics import bucket_s
from fake_e2b.backend.moments import LifecycleEvent, Moment
from fake_e2b.backend.store import Store
from fake_e2b.domain.clock import SECOND_NS, Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.ids import TeamID
from fake_e2b.domain.team import Team

CHANGES_REMEMBERED = 100_000
"""Of each team; the oldest are forgotten first."""
_WINDOW_S = 7 * 24 * 3600
_STARTS = (Moment.CREATED, Moment.RESUMED)
_CHANGES = (*_STARTS, Moment.PAUSED, Moment.KILLED)


class TeamMetric(Enum):
    """What can be asked for the highest value of."""

    CONCURRENT_SANDBOXES = "concurrent_sandboxes"
    SANDBOX_START_RATE = "sandbox_start_rate"


@dataclass(frozen=True, slots=True)
class TeamPoint:
    """One bucket: the most that ran at once in it, and starts per second."""

    unix_s: int
    concurrent: int
    start_rate: float

    def value(self, metric: TeamMetric) -> float:
        """One of the two."""
        if metric is TeamMetric.CONCURRENT_SANDBOXES:
            return self.concurrent
        return self.start_rate


@dataclass(frozen=True, slots=True)
class _Change:
    at_ns: int
    running: int
    started: bool


class TeamMetrics:
    """Notes each change of a team's sandboxes.

    Args:
        store: Knows how many run.
        clock: Until when there are points.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._changes: dict[TeamID, deque[_Change]] = {}

    def note(self, event: LifecycleEvent) -> None:
        """A sandbox has begun or ceased to run."""
        if event.moment not in _CHANGES:
            return
        team_id = event.sandbox.team_id
        changes = self._changes.setdefault(team_id, deque(maxlen=CHANGES_REMEMBERED))
        running = self._store.shelf(team_id).running
        changes.append(_Change(event.at_ns, running, event.moment in _STARTS))

    def series(
        self, team: Team, asked_id: str, *, start_s: int | None, end_s: int | None
    ) -> list[TeamPoint]:
        """Points in the range, ascending; there are none for when nothing ran.

        Args:
            asked_id: The team that is asked about.
            start_s: None is a week ago.
            end_s: None is now.

        Raises:
            ControlError: TEAM_METRICS_FORBIDDEN, TEAM_METRICS_RANGE.
        """
        start_s, end_s = self._range(team, asked_id, start_s, end_s)
        return list(self._points(team.team_id, start_s, end_s))

    def highest(
        self,
        team: Team,
        asked_id: str,
        metric: TeamMetric,
        *,
        start_s: int | None,
        end_s: int | None,
    ) -> tuple[int, float]:
        """When one of the metrics was highest, and how high; 0 at the end when nothing ran.

        Raises:
            ControlError: As `series`.
        """
        start_s, end_s = self._range(team, asked_id, start_s, end_s)
        points = self._points(team.team_id, start_s, end_s)
        found = max(points, key=lambda point: point.value(metric), default=None)
        return (end_s, 0) if found is None else (found.unix_s, found.value(metric))

    def _range(
        self, team: Team, asked_id: str, start_s: int | None, end_s: int | None
    ) -> tuple[int, int]:
        if asked_id != team.team_id:
            raise ControlError(
                ControlKind.TEAM_METRICS_FORBIDDEN, team_id=team.team_id, asked_id=asked_id
            )
        now_s = self._clock.now_ns() // SECOND_NS
        start_s = max(0, now_s - _WINDOW_S) if start_s is None else start_s
        end_s = now_s if end_s is None else end_s
        if start_s > end_s:
            raise ControlError(ControlKind.TEAM_METRICS_RANGE)
        return start_s, end_s

    def _points(self, team_id: TeamID, start_s: int, end_s: int) -> Iterator[TeamPoint]:
        width_s = bucket_s(end_s - start_s)
        end_s = min(end_s, self._clock.now_ns() // SECOND_NS)
        running = 0
        waiting = deque(self._changes.get(team_id, ()))
        while waiting and waiting[0].at_ns < start_s * SECOND_NS:
            running = waiting.popleft().running
        at_s = start_s
        while True:
            if not running:
                if not waiting:
                    return
                at_s = max(at_s, waiting[0].at_ns // SECOND_NS)  # nothing ran until then
            at_s -= at_s % width_s
            if at_s > end_s:
                return
            peak, starts = running, 0
            while waiting and waiting[0].at_ns < (at_s + width_s) * SECOND_NS:
                if waiting[0].at_ns // SECOND_NS > end_s:
                    break
                change = waiting.popleft()
                running = change.running
                peak, starts = max(peak, running), starts + change.started
            if peak or starts:
                yield TeamPoint(at_s, peak, starts / width_s)
            at_s += width_s

    def clear(self) -> None:
        """Forget everything."""
        self._changes.clear()
