"""All that the passing of time does: to sandboxes, and to what is to be delivered again."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fake_e2b.backend.deliveries import Deliveries
from fake_e2b.backend.sandboxes import Sandboxes
from fake_e2b.domain.due import Deadline, Happening


@dataclass(frozen=True, slots=True)
class Retry:
    """When an event is delivered again."""

    at_ns: int


class AllDue:
    """Both at once; what happens to sandboxes is told, deliveries have their log."""

    def __init__(self, sandboxes: Sandboxes, deliveries: Deliveries) -> None:
        self._sandboxes = sandboxes
        self._deliveries = deliveries

    def next_deadline(self) -> Deadline | Retry | None:
        """What comes first; None when nothing does."""
        ends, retry_ns = self._sandboxes.next_deadline(), self._deliveries.next_retry_ns()
        if retry_ns is None or (ends is not None and ends.at_ns <= retry_ns):
            return ends
        return Retry(retry_ns)

    def run_due(self) -> Coroutine[Any, Any, list[Happening]]:
        """See `Sandboxes.run_due`; deliveries are under way before this returns."""
        happening = self._sandboxes.run_due()
        self._deliveries.run_due()
        return happening

    def on_deadline_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever the next one may have come nearer."""
        self._sandboxes.on_deadline_change(listener)
        self._deliveries.on_deadline_change(listener)
