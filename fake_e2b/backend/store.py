"""The dictionaries: every sandbox that is not gone, found by ID, by token and in list order."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass, field

from fake_e2b.backend.machine import Machine
from fake_e2b.domain.ids import SandboxID, TeamID
from fake_e2b.domain.ports import Event
from fake_e2b.domain.sandbox import LISTED_AS, Sandbox, State

OrderKey = tuple[int, str]
"""Sorts as lists are shown: start (in microseconds) descending, then ID ascending."""


def order_key(started_at_ns: int, sandbox_id: str) -> OrderKey:
    """Where a sandbox stands in its team's list."""
    return -(started_at_ns // 1000), sandbox_id


@dataclass(slots=True)
class Move:
    """A change of state in progress; others wait for `done` and share the outcome.

    Attributes:
        target: The state it leads to.
        error: Why it failed; None while it runs and when it went well.
    """

    target: State
    done: Event
    error: Exception | None = None


@dataclass(slots=True, eq=False)
class Record:
    """A sandbox, what runs it, and what is just happening to it.

    Attributes:
        machine: None while only files are kept.
        move: None when the state is settled.
        lost: Its machine died by itself, which ends it, paused or not.
        expired: Its time was up, which ends it unless it is paused instead.
    """

    sandbox: Sandbox
    machine: Machine | None
    move: Move | None = None
    lost: bool = False
    expired: bool = False


@dataclass(slots=True)
class TeamShelf:
    """One team's sandboxes.

    Attributes:
        order: The keys of all of them, sorted.
        running: How many lists show as running.
        slots: How many count against the concurrency limit, starts in progress included.
    """

    order: list[OrderKey] = field(default_factory=list)
    running: int = 0
    slots: int = 0


class Store:
    """All sandboxes of one fake. Every change of a listed field goes through here."""

    def __init__(self) -> None:
        self.records: dict[SandboxID, Record] = {}
        self._by_token: dict[str, SandboxID] = {}
        self._shelves: dict[TeamID, TeamShelf] = {}
        self._listener: Callable[[Record], None] | None = None

    def on_change(self, listener: Callable[[Record], None] | None) -> None:
        """Call `listener`, and no other, after each change of what lists show; None calls none."""
        self._listener = listener

    def _tell(self, record: Record) -> None:
        if self._listener is not None:
            self._listener(record)

    def shelf(self, team_id: TeamID) -> TeamShelf:
        """The team's part."""
        return self._shelves.setdefault(team_id, TeamShelf())

    def get(self, sandbox_id: str) -> Record | None:
        """The record of a sandbox that is not gone."""
        return self.records.get(SandboxID(sandbox_id))

    def find_by_token(self, token: str) -> SandboxID | None:
        """Whose envd token it is."""
        return self._by_token.get(token)

    def add(self, record: Record) -> None:
        """Keep a new record."""
        sandbox = record.sandbox
        self.records[sandbox.sandbox_id] = record
        if sandbox.envd_access_token is not None:
            self._by_token[sandbox.envd_access_token] = sandbox.sandbox_id
        shelf = self.shelf(sandbox.team_id)
        insort(shelf.order, order_key(sandbox.started_at_ns, sandbox.sandbox_id))
        shelf.running += _counts(sandbox.state)
        self._tell(record)

    def remove(self, record: Record) -> None:
        """Forget a record; nothing happens when it is not there."""
        sandbox = record.sandbox
        if self.records.get(sandbox.sandbox_id) is not record:
            return
        del self.records[sandbox.sandbox_id]
        if sandbox.envd_access_token is not None:
            self._by_token.pop(sandbox.envd_access_token, None)
        shelf = self.shelf(sandbox.team_id)
        self._unlist(shelf, sandbox)
        shelf.running -= _counts(sandbox.state)
        self._tell(record)

    def enter_state(self, record: Record, state: State) -> None:
        """Move a sandbox along its table of states.

        Raises:
            ValueError: The table does not allow it.
        """
        sandbox = record.sandbox
        before = _counts(sandbox.state)
        sandbox.move(state)
        if self.records.get(sandbox.sandbox_id) is record:
            self.shelf(sandbox.team_id).running += _counts(state) - before
            self._tell(record)

    def restart(self, record: Record, started_at_ns: int) -> None:
        """Give a sandbox a new start, and with it a new place in lists."""
        sandbox = record.sandbox
        listed = self.records.get(sandbox.sandbox_id) is record
        shelf = self.shelf(sandbox.team_id)
        if listed:
            self._unlist(shelf, sandbox)
        sandbox.started_at_ns = started_at_ns
        if listed:
            insort(shelf.order, order_key(started_at_ns, sandbox.sandbox_id))
            self._tell(record)

    def clear(self) -> None:
        """Forget everything."""
        self.records.clear()
        self._by_token.clear()
        self._shelves.clear()

    @staticmethod
    def _unlist(shelf: TeamShelf, sandbox: Sandbox) -> None:
        key = order_key(sandbox.started_at_ns, sandbox.sandbox_id)
        at = bisect_left(shelf.order, key)
        if shelf.order[at : at + 1] == [key]:
            del shelf.order[at]


def _counts(state: State) -> int:
    return int(LISTED_AS[state] is State.RUNNING)
