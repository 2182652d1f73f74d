"""Lists of sandboxes: order, filters, pages.

Facts: control.list.order, control.list.filters
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fake_e2b.backend.store import Store, TeamShelf, order_key
from fake_e2b.domain.ids import SandboxID, TeamID, TemplateID
from fake_e2b.domain.sandbox import LISTED_AS, Sandbox, State

BOTH_STATES = frozenset({State.RUNNING, State.PAUSED})


@dataclass(frozen=True, slots=True)
class Filter:
    """Which sandboxes of a team a list shows; None is no restriction."""

    states: frozenset[State] = BOTH_STATES
    metadata: Mapping[str, str] | None = None
    started_after_ns: int | None = None
    template_id: TemplateID | None = None

    @property
    def is_by_state(self) -> bool:
        """Whether nothing but the state decides."""
        return self.metadata is None and self.started_after_ns is None and self.template_id is None

    def accepts(self, sandbox: Sandbox) -> bool:
        """Whether the list shows this one, its state aside."""
        if self.template_id is not None and sandbox.template_id != self.template_id:
            return False
        after_ns = self.started_after_ns
        if after_ns is not None and sandbox.started_at_ns // 1000 < after_ns // 1000:
            return False
        if self.metadata is not None:
            return sandbox.metadata is not None and (
                self.metadata.items() <= sandbox.metadata.items()
            )
        return True


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        last: The item that the next page comes after; None on the last page.
        total_running: Running sandboxes behind the filter; None when they were not asked for.
    """

    sandboxes: list[Sandbox]
    last: Sandbox | None
    total_running: int | None


class Listing:
    """Reads the store's order.

    Args:
        store: Where the sandboxes are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def page(
        self,
        team_id: TeamID,
        chosen: Filter,
        *,
        limit: int,
        ascending: bool = False,
        after: tuple[int, str] | None = None,
    ) -> Page:
        """The next sandboxes in order of their start, the newest first unless `ascending`.

        Args:
            after: Start and ID of the last item of the page before.
        """
        shelf = self._store.shelf(team_id)
        found: list[Sandbox] = []
        more = False
        states = _internal(chosen.states)
        for sandbox in self._walk(shelf, ascending=ascending, after=after):
            if sandbox.state in states and chosen.accepts(sandbox):
                if len(found) == limit:
                    more = True
                    break
                found.append(sandbox)
        total = self._total_running(shelf, chosen) if State.RUNNING in chosen.states else None
        return Page(found, found[-1] if more else None, total)

    def running(self, team_id: TeamID, metadata: Mapping[str, str] | None) -> list[Sandbox]:
        """The whole list of the first generation: running ones, newest first."""
        chosen = Filter(metadata=metadata)
        return [
            sandbox
            for sandbox in self._walk(self._store.shelf(team_id))
            if sandbox.state is State.RUNNING and chosen.accepts(sandbox)
        ]

    def _walk(
        self,
        shelf: TeamShelf,
        *,
        ascending: bool = False,
        after: tuple[int, str] | None = None,
    ) -> Iterator[Sandbox]:
        order, records = shelf.order, self._store.records
        if ascending:
            begin = len(order) if after is None else bisect_left(order, order_key(*after))
            positions = range(begin - 1, -1, -1)
        else:
            begin = 0 if after is None else bisect_right(order, order_key(*after))
            positions = range(begin, len(order))
        for at in positions:
            yield records[SandboxID(order[at][1])].sandbox

    def _total_running(self, shelf: TeamShelf, chosen: Filter) -> int:
        if chosen.is_by_state:
            return shelf.running
        return sum(
            sandbox.state is State.RUNNING and chosen.accepts(sandbox)
            for sandbox in self._walk(shelf)
        )


def _internal(shown: frozenset[State]) -> tuple[State, ...]:
    """The states that lists show as one of `shown`; a tuple, for it finds by identity."""
    return tuple(state for state in State if LISTED_AS[state] in shown)
