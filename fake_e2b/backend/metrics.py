"""What sandboxes used: points taken when somebody asks and before each pause.

Fact: control.metrics
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fake_e2b.backend.store import Record, Store
from fake_e2b.backend.together import Together
from fake_e2b.domain.clock import SECOND_NS, Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.ids import SandboxID, TeamID
from fake_e2b.domain.sandbox import Sandbox, State

SANDBOXES_REMEMBERED = 10_000
POINTS_REMEMBERED = 2_000
_HOUR_S = 3600
_BUCKETS_S = (
    (1 * _HOUR_S, 5),
    (6 * _HOUR_S, 30),
    (12 * _HOUR_S, 60),
    (24 * _HOUR_S, 120),
    (7 * 24 * _HOUR_S, 300),
)
_WIDEST_BUCKET_S = 900


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """What one sandbox used at one moment; sizes in bytes, time in whole seconds."""

    unix_s: int
    cpu_count: int
    cpu_used_pct: float
    mem_used: int
    mem_total: int
    mem_cache: int
    disk_used: int
    disk_total: int


@dataclass(slots=True)
class _Series:
    team_id: TeamID
    points: list[MetricPoint] = field(default_factory=list)


class Metrics:
    """The points of the last sandboxes, those that are gone included.

    Args:
        store: Where the live ones are.
        clock: Gives each point its time.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._series: OrderedDict[SandboxID, _Series] = OrderedDict()

    async def sample(self, record: Record) -> None:
        """Take a point of a running sandbox; one whose machine has died has none."""
        machine = record.machine
        if machine is None or record.sandbox.state not in (State.RUNNING, State.PAUSING):
            return
        try:
            usage = await machine.guest.usage()
        except OSError:
            return
        point = MetricPoint(
            unix_s=self._clock.now_ns() // SECOND_NS,
            cpu_count=usage.cpu_count,
            cpu_used_pct=usage.cpu_used_pct,
            mem_used=usage.mem_used,
            mem_total=usage.mem_total,
            mem_cache=usage.mem_cache,
            disk_used=usage.disk.used,
            disk_total=usage.disk.total,
        )
        self._keep(record.sandbox, point)

    def _keep(self, sandbox: Sandbox, point: MetricPoint) -> None:
        series = self._series.get(sandbox.sandbox_id)
        if series is None:
            series = self._series[sandbox.sandbox_id] = _Series(sandbox.team_id)
        series.points.append(point)
        if len(series.points) > POINTS_REMEMBERED:
            del series.points[0]
        while len(self._series) > SANDBOXES_REMEMBERED:
            self._series.popitem(last=False)

    def _points(self, team_id: TeamID, sandbox_id: SandboxID) -> list[MetricPoint]:
        series = self._series.get(sandbox_id)
        return [] if series is None or series.team_id != team_id else series.points

    async def of_one(
        self, team_id: TeamID, sandbox_id: SandboxID, *, start_s: int | None, end_s: int | None
    ) -> list[MetricPoint]:
        """Points in `[start_s, end_s]`, ascending, one a bucket; [] for an unknown sandbox.

        A bound that is None is the sandbox's first or last point.

        Raises:
            ControlError: INVALID_METRICS_RANGE: the start lies after the end.
        """
        await self._sample_live(team_id, sandbox_id)
        points = self._points(team_id, sandbox_id)
        if start_s is None:
            start_s = points[0].unix_s if points else 0
        if end_s is None:
            end_s = points[-1].unix_s if points else 0
        if start_s > end_s:
            raise ControlError(ControlKind.INVALID_METRICS_RANGE)
        chosen = [point for point in points if start_s <= point.unix_s <= end_s]
        return _bucketed(chosen, bucket_s(end_s - start_s))

    async def latest(
        self, team_id: TeamID, sandbox_ids: Sequence[SandboxID], together: Together
    ) -> dict[SandboxID, MetricPoint]:
        """The newest point of each sandbox of the team that has one.

        Args:
            together: Awaits several at once.
        """
        await together([self._sample_live(team_id, sandbox_id) for sandbox_id in sandbox_ids])
        found = ((sandbox_id, self._points(team_id, sandbox_id)) for sandbox_id in sandbox_ids)
        return {sandbox_id: points[-1] for sandbox_id, points in found if points}

    async def _sample_live(self, team_id: TeamID, sandbox_id: SandboxID) -> None:
        record = self._store.get(sandbox_id)
        if record is not None and record.sandbox.team_id == team_id:
            await self.sample(record)

    def clear(self) -> None:
        """Forget every point."""
        self._series.clear()


def bucket_s(range_s: int) -> int:
    """How wide the points of a range are. Fact: control.metrics"""
    for below_s, width_s in _BUCKETS_S:
        if range_s < below_s:
            return width_s
    return _WIDEST_BUCKET_S


def _bucketed(points: Iterable[MetricPoint], width_s: int) -> list[MetricPoint]:
    """The highest values of each bucket, at the bucket's start."""
    buckets: dict[int, list[MetricPoint]] = {}
    for point in points:
        buckets.setdefault(point.unix_s - point.unix_s % width_s, []).append(point)
    return [
        MetricPoint(
            unix_s=start_s,
            cpu_count=max(point.cpu_count for point in members),
            cpu_used_pct=max(point.cpu_used_pct for point in members),
            mem_used=max(point.mem_used for point in members),
            mem_total=max(point.mem_total for point in members),
            mem_cache=max(point.mem_cache for point in members),
            disk_used=max(point.disk_used for point in members),
            disk_total=max(point.disk_total for point in members),
        )
        for start_s, members in sorted(buckets.items())
    ]
