"""When which sandbox's time is up."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

from fake_e2b.backend.store import Record, Store
from fake_e2b.domain.due import Deadline
from fake_e2b.domain.ids import SandboxID
from fake_e2b.domain.sandbox import OnTimeout, State

Entry = tuple[int, int, SandboxID]
"""An end, and which of all ends it was: those of one instant come in the order of their setting."""
_SLACK = 1_000
"""Outdated entries that are kept until they come up by themselves."""


class Deadlines:
    """A heap of ends. An entry counts only while it is still the sandbox's end.

    The end of a sandbox that is just being captured counts, too: it comes when that is over.

    Args:
        store: Where the sandboxes are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._heap: list[Entry] = []
        self._numbers = itertools.count()
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever the next end may have come nearer."""
        self._listeners.append(listener)

    def add(self, record: Record) -> None:
        """Take note of a sandbox's new end."""
        if len(self._heap) > _SLACK + 4 * len(self._store.records):
            self._heap = [entry for entry in self._heap if self._current(entry) is not None]
            heapq.heapify(self._heap)
        entry = (record.sandbox.end_at_ns, next(self._numbers), record.sandbox.sandbox_id)
        nearer = not self._heap or entry < self._heap[0]
        heapq.heappush(self._heap, entry)
        if nearer:
            for listener in self._listeners:
                listener()

    def next(self) -> Deadline | None:
        """The nearest end; None when no sandbox runs."""
        while self._heap:
            record = self._current(self._heap[0])
            if record is not None:
                at_ns, _, sandbox_id = self._heap[0]
                kills = record.sandbox.on_timeout is OnTimeout.KILL
                return Deadline(at_ns, "kill" if kills else "pause", sandbox_id)
            heapq.heappop(self._heap)
        return None

    def pop_due(self, now_ns: int) -> list[Record]:
        """The sandboxes whose end is not after `now_ns`, nearest first."""
        due: dict[SandboxID, Record] = {}
        while self._heap and self._heap[0][0] <= now_ns:
            entry = heapq.heappop(self._heap)
            record = self._current(entry)
            if record is not None:
                due.setdefault(entry[2], record)
        return list(due.values())

    def clear(self) -> None:
        """Forget everything."""
        self._heap.clear()

    def _current(self, entry: Entry) -> Record | None:
        end_at_ns, _, sandbox_id = entry
        record = self._store.records.get(sandbox_id)
        if record is None:
            return None
        state = record.sandbox.state
        runs = state in (State.RUNNING, State.SNAPSHOTTING)
        if not runs and not (record.lost and state is State.PAUSED):
            return None
        return record if record.sandbox.end_at_ns == end_at_ns else None
