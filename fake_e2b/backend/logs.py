"""The logs of sandboxes: what happened to them, kept for a while after they are gone.

Fact: control.logs
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum

from fake_e2b.backend.moments import LifecycleEvent, Moment
from fake_e2b.domain.clock import SECOND_NS, Clock
from fake_e2b.domain.ids import SandboxID, TeamID
from fake_e2b.domain.records import Records
from fake_e2b.domain.sandbox import Sandbox

SANDBOXES_REMEMBERED = 10_000
ENTRIES_REMEMBERED = 1_000
WINDOW_NS = 7 * 24 * 3600 * SECOND_NS
"""How far back logs reach."""


class LogLevel(IntEnum):
    """In order of weight."""

    DEBUG = 0
    INFO = 1
    WARN = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line; `fields` is everything but message and level."""

    at_ns: int
    level: LogLevel
    message: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Shelf:
    team_id: TeamID
    entries: deque[LogEntry] = field(default_factory=lambda: deque(maxlen=ENTRIES_REMEMBERED))


_MESSAGES = {
    Moment.CREATED: "Sandbox created",
    Moment.RESUMED: "Sandbox resumed",
    Moment.PAUSED: "Sandbox paused",
    Moment.KILLED: "Sandbox killed",
    Moment.UPDATED: "Sandbox updated",
    Moment.FAILED: "Sandbox failed",
}
_KIND = "log"


class Logs:
    """The entries of the last sandboxes.

    Args:
        clock: Bounds the window.
    """

    def __init__(self, clock: Clock, records: Records) -> None:
        self._clock = clock
        self._records = records
        self._shelves: OrderedDict[SandboxID, _Shelf] = OrderedDict()

    def note(self, event: LifecycleEvent) -> None:
        """Log a moment of a sandbox's life; what copies its files is none that logs tell."""
        message = _MESSAGES.get(event.moment)
        if message is None:
            return
        fields = {"logger": "orchestrator", "event": event.moment.value}
        if event.cause is not None:
            fields["error"] = repr(event.cause)
        level = LogLevel.INFO if event.cause is None else LogLevel.ERROR
        self.append(event.sandbox, LogEntry(event.at_ns, level, message, fields))
        self._record(event.sandbox.sandbox_id)

    def append(self, sandbox: Sandbox, entry: LogEntry) -> None:
        """Keep one entry; the oldest one goes when there are too many."""
        shelf = self._shelves.get(sandbox.sandbox_id)
        if shelf is None:
            shelf = self._shelves[sandbox.sandbox_id] = _Shelf(sandbox.team_id)
            if len(self._shelves) > SANDBOXES_REMEMBERED:
                oldest, _ = self._shelves.popitem(last=False)
                with suppress(OSError):
                    self._records.drop(_KIND, oldest)
        shelf.entries.append(entry)

    def _record(self, sandbox_id: SandboxID) -> None:
        """Write down what is known of a sandbox by now."""
        if not self._records.last:
            return
        shelf = self._shelves[sandbox_id]
        entries = [
            (each.at_ns, each.level, each.message, dict(each.fields)) for each in shelf.entries
        ]
        with suppress(OSError):  # what has happened cannot be refused any more
            self._records.put(_KIND, sandbox_id, [shelf.team_id, entries])

    def restore(self) -> None:
        """Have what was recorded."""
        for sandbox_id, (team_id, entries) in self._records.values(_KIND).items():
            shelf = self._shelves[SandboxID(sandbox_id)] = _Shelf(TeamID(team_id))
            for at_ns, level, message, fields in entries:
                shelf.entries.append(LogEntry(at_ns, LogLevel(level), message, fields))

    def first_generation(
        self, team_id: TeamID, sandbox_id: SandboxID, *, start_ms: int | None, limit: int
    ) -> list[LogEntry]:
        """The oldest `limit` entries from `start_ms` on; [] for an unknown sandbox."""
        return self._pick(
            team_id,
            sandbox_id,
            start_ns=None if start_ms is None else start_ms * 1_000_000,
            limit=limit,
        )

    def second_generation(
        self,
        team_id: TeamID,
        sandbox_id: SandboxID,
        *,
        cursor_ms: int | None,
        limit: int,
        forward: bool,
        level: LogLevel,
        search: str,
    ) -> list[LogEntry]:
        """Entries from the cursor on, or those up to it with the newest first.

        Args:
            level: The lowest one shown.
            search: A part of the message, upper and lower case told apart.
        """
        cursor_ns = None if cursor_ms is None else cursor_ms * 1_000_000
        return self._pick(
            team_id,
            sandbox_id,
            start_ns=cursor_ns if forward else None,
            end_ns=None if forward else cursor_ns,
            limit=limit,
            newest_first=not forward,
            level=level,
            search=search,
        )

    def _pick(
        self,
        team_id: TeamID,
        sandbox_id: SandboxID,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        limit: int,
        newest_first: bool = False,
        level: LogLevel = LogLevel.DEBUG,
        search: str = "",
    ) -> list[LogEntry]:
        oldest_ns = self._clock.now_ns() - WINDOW_NS
        start_ns = oldest_ns if start_ns is None else max(start_ns, oldest_ns)
        picked: list[LogEntry] = []
        for entry in self._entries(team_id, sandbox_id, newest_first=newest_first):
            if len(picked) == limit:
                break
            if entry.at_ns < start_ns or (end_ns is not None and entry.at_ns > end_ns):
                continue
            if entry.level >= level and search in entry.message:
                picked.append(entry)
        return picked

    def _entries(
        self, team_id: TeamID, sandbox_id: SandboxID, *, newest_first: bool
    ) -> Iterator[LogEntry]:
        shelf = self._shelves.get(sandbox_id)
        if shelf is None or shelf.team_id != team_id:
            return iter(())
        return reversed(shelf.entries) if newest_first else iter(shelf.entries)

    def clear(self) -> None:
        """Forget every entry."""
        self._shelves.clear()
