"""The events of sandboxes: made from what happens to them, and kept for a while.

Facts: events.types, events.data, events.list
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice

from fake_e2b.backend.moments import Change, LifecycleEvent, Moment
from fake_e2b.domain.clock import SECOND_NS, Clock
from fake_e2b.domain.event import (
    EventData,
    EventType,
    Execution,
    KillReason,
    SandboxEvent,
    egress_of,
)
from fake_e2b.domain.ids import IdSource, SandboxID
from fake_e2b.domain.records import Records
from fake_e2b.domain.sandbox import Sandbox
from fake_e2b.domain.team import Team

RETENTION_NS = 7 * 24 * 3600 * SECOND_NS
EVENTS_REMEMBERED = 100_000
"""Of all teams; the oldest go first."""
_NS_PER_MS = 1_000_000

_TYPES = {
    Moment.CREATED: EventType.CREATED,
    Moment.RESUMED: EventType.RESUMED,
    Moment.PAUSED: EventType.PAUSED,
    Moment.KILLED: EventType.KILLED,
    Moment.UPDATED: EventType.UPDATED,
    Moment.FORKED: EventType.CHECKPOINTED,
    Moment.SNAPSHOTTED: EventType.CHECKPOINTED,
}
_BEGINNINGS = (EventType.CREATED, EventType.RESUMED)
_ENDS = (EventType.PAUSED, EventType.KILLED)


@dataclass(slots=True)
class _Run:
    execution_id: str
    ended: bool = False


@dataclass(slots=True)
class _Shelves:
    """The same events twice, for both questions; each list is in the order of time."""

    all: deque[SandboxEvent] = field(default_factory=deque)
    by_team: dict[str, deque[SandboxEvent]] = field(default_factory=dict)
    by_sandbox: dict[str, deque[SandboxEvent]] = field(default_factory=dict)

    def add(self, event: SandboxEvent) -> None:
        self.all.append(event)
        self.by_team.setdefault(event.team_id, deque()).append(event)
        self.by_sandbox.setdefault(event.sandbox_id, deque()).append(event)

    def drop_oldest(self) -> SandboxEvent:
        oldest = self.all.popleft()
        self.by_team[oldest.team_id].popleft()
        of_sandbox = self.by_sandbox[oldest.sandbox_id]
        of_sandbox.popleft()
        if not of_sandbox:
            del self.by_sandbox[oldest.sandbox_id]
        return oldest


class Events:
    """The events of all teams.

    Args:
        ids: Makes their IDs, on a branch of its own.
        clock: Bounds how far back they reach.
    """

    def __init__(self, ids: IdSource, clock: Clock, records: Records) -> None:
        self._ids = ids.branch("events")
        self._clock = clock
        self._records = records
        self._runs: dict[SandboxID, _Run] = {}
        self._shelves = _Shelves()
        self._listeners: list[Callable[[SandboxEvent], None]] = []

    def on_event(self, listener: Callable[[SandboxEvent], None]) -> None:
        """Call `listener` with each new event."""
        self._listeners.append(listener)

    def note(self, moment: LifecycleEvent) -> None:
        """Make the event of a moment; a failure is none."""
        event_type = _TYPES.get(moment.moment)
        if event_type is None:
            return
        sandbox = moment.sandbox
        if event_type is EventType.CREATED and sandbox.is_fork:
            event_type = EventType.RESUMED
        run = self._runs.get(sandbox.sandbox_id)
        if run is None or event_type in _BEGINNINGS:
            run = self._runs[sandbox.sandbox_id] = _Run(self._ids.uuid())
        event = SandboxEvent(
            event_id=self._ids.uuid(),
            type=event_type,
            at_ns=moment.at_ns,
            sandbox_id=sandbox.sandbox_id,
            execution_id=run.execution_id,
            template_id=sandbox.template_id,
            build_id=sandbox.build_id,
            team_id=sandbox.team_id,
            data=_data(moment, _execution(sandbox, moment.at_ns, event_type, run)),
        )
        run.ended = run.ended or event_type in _ENDS
        if event_type is EventType.KILLED:
            del self._runs[sandbox.sandbox_id]
        self._keep(event)
        for listener in self._listeners:
            listener(event)

    def restore(self) -> None:
        """Have what was recorded; what still ran then was lost with its server."""
        last: dict[SandboxID, SandboxEvent] = {}
        for event in self._records.all(SandboxEvent):
            self._shelves.add(event)
            last[event.sandbox_id] = event
        for sandbox_id, event in last.items():
            if event.type not in _ENDS and not self._ended_before(event):
                self._keep(self._orphaned(event))
            elif event.type is not EventType.KILLED:
                self._runs[sandbox_id] = _Run(event.execution_id, ended=True)

    def _ended_before(self, last: SandboxEvent) -> bool:
        """Whether it was paused before its last event, an update for one."""
        of_run = self._shelves.by_sandbox[last.sandbox_id]
        return any(
            each.type is EventType.PAUSED and each.execution_id == last.execution_id
            for each in of_run
        )

    def _orphaned(self, last: SandboxEvent) -> SandboxEvent:
        return replace(
            last,
            event_id=self._ids.uuid(),
            type=EventType.KILLED,
            at_ns=self._clock.now_ns(),
            data=EventData(kill_reason=KillReason.ORPHANED),
        )

    def _keep(self, event: SandboxEvent) -> None:
        self._shelves.add(event)
        with suppress(OSError):  # what has happened cannot be refused any more
            self._records.keep(event)
        if len(self._shelves.all) > EVENTS_REMEMBERED:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        oldest = self._shelves.drop_oldest()
        with suppress(OSError):
            self._records.forget(oldest)

    def page(
        self,
        team: Team,
        *,
        sandbox_id: SandboxID | None = None,
        types: Collection[EventType],
        offset: int,
        limit: int,
        ascending: bool,
    ) -> list[SandboxEvent]:
        """Some of a team's events; [] for a sandbox of which none are known.

        Args:
            sandbox_id: Only those of this sandbox.
            types: Only these; empty for all.
            ascending: The oldest first.
        """
        oldest_ns = self._clock.now_ns() - RETENTION_NS
        while self._shelves.all and self._shelves.all[0].at_ns < oldest_ns:
            self._drop_oldest()
        found: deque[SandboxEvent] | None
        if sandbox_id is None:
            found = self._shelves.by_team.get(team.team_id)
        else:
            found = self._shelves.by_sandbox.get(sandbox_id)
        if not found or found[0].team_id != team.team_id:
            return []
        ordered = iter(found) if ascending else reversed(found)
        return list(islice(_of_types(ordered, types), offset, offset + limit))

    def clear(self) -> None:
        """Forget everything."""
        self._runs.clear()
        self._shelves = _Shelves()


def _of_types(
    events: Iterable[SandboxEvent], types: Collection[EventType]
) -> Iterator[SandboxEvent]:
    return (each for each in events if not types or each.type in types)


def _execution(sandbox: Sandbox, at_ns: int, event_type: EventType, run: _Run) -> Execution | None:
    """What ends with this event; a paused sandbox that is killed had ended before."""
    if event_type not in _ENDS or run.ended:
        return None
    return Execution(
        started_at_ns=sandbox.started_at_ns,
        vcpu_count=sandbox.cpu_count,
        memory_mb=sandbox.memory_mb,
        execution_time_ms=(at_ns - sandbox.started_at_ns) // _NS_PER_MS,
    )


def _data(moment: LifecycleEvent, execution: Execution | None) -> EventData:
    sandbox = moment.sandbox
    return EventData(
        metadata=dict(sandbox.metadata) if sandbox.metadata else None,
        execution=execution,
        kill_reason=moment.kill_reason,
        end_at_ns=sandbox.end_at_ns if moment.change is Change.END else None,
        egress=egress_of(sandbox.network) if moment.change is Change.EGRESS else None,
    )
