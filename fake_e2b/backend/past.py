"""What lists would have shown a while ago."""

from __future__ import annotations

from collections import deque
from copy import copy

from fake_e2b.backend.store import Record, Store
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.ids import SandboxID
from fake_e2b.domain.sandbox import Sandbox


class History:
    """The changes of a store while somebody wants to know of them.

    Args:
        clock: Gives each change its instant.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._longest_ns: list[int] = []
        self._base: dict[SandboxID, Sandbox] = {}
        self._changes: deque[tuple[int, SandboxID, Sandbox | None]] = deque()

    def begin(self, longest_ns: int) -> None:
        """Remember from now on what was up to so long ago; `end` must follow."""
        if not self._longest_ns:
            records = self._store.records
            self._base = {each: copy(record.sandbox) for each, record in records.items()}
            self._store.on_change(self._note)
        self._longest_ns.append(longest_ns)

    def end(self, longest_ns: int) -> None:
        """What `begin` was told is not wanted any more."""
        self._longest_ns.remove(longest_ns)
        if not self._longest_ns:
            self._store.on_change(None)
            self._base = {}
            self._changes.clear()

    def _note(self, record: Record) -> None:
        now_ns = self._clock.now_ns()
        sandbox_id = record.sandbox.sandbox_id
        is_there = self._store.records.get(sandbox_id) is record
        self._changes.append((now_ns, sandbox_id, copy(record.sandbox) if is_there else None))
        oldest_ns = now_ns - max(self._longest_ns)
        while self._changes[0][0] <= oldest_ns:
            _apply(self._base, *self._changes.popleft()[1:])

    def at(self, instant_ns: int) -> Store:
        """The sandboxes of that instant, or of the oldest one remembered; copies."""
        found = dict(self._base)
        for at_ns, sandbox_id, sandbox in self._changes:
            if at_ns > instant_ns:
                break
            _apply(found, sandbox_id, sandbox)
        store = Store()
        for sandbox in found.values():
            store.add(Record(copy(sandbox), None))
        return store


def _apply(
    sandboxes: dict[SandboxID, Sandbox], sandbox_id: SandboxID, sandbox: Sandbox | None
) -> None:
    if sandbox is None:
        sandboxes.pop(sandbox_id, None)
    else:
        sandboxes[sandbox_id] = sandbox
