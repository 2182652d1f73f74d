"""All that the passing of time does: to sandboxes, and to what is to be delivered again.

Fact: fake.clock.deliveries
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fake_e2b.backend.deliveries import Begun, Deliveries
from fake_e2b.backend.sandboxes import Sandboxes
from fake_e2b.domain.due import Deadline, Happening, Outcome


class AllDue:
    """Both at once."""

    def __init__(self, sandboxes: Sandboxes, deliveries: Deliveries) -> None:
        self._sandboxes = sandboxes
        self._deliveries = deliveries

    def next_deadline(self) -> Deadline | None:
        """What comes first; None when nothing does."""
        ends, retry = self._sandboxes.next_deadline(), self._deliveries.next_deadline()
        if retry is None or (ends is not None and ends.at_ns <= retry.at_ns):
            return ends
        return retry

    def run_due(self) -> Coroutine[Any, Any, list[Happening]]:
        """See `Sandboxes.run_due`; deliveries are under way before this returns.

        Returns:
            Await it for what has happened: to sandboxes first, then the deliveries.
        """
        happening = self._sandboxes.run_due()
        return self._happen(happening, self._deliveries.run_due())

    @staticmethod
    async def _happen(
        happening: Coroutine[Any, Any, list[Happening]], begun: list[Begun]
    ) -> list[Happening]:
        happened = await happening
        for each in begun:
            attempt = await each.over
            if attempt is not None:
                delivery = each.delivery
                outcome: Outcome = "delivered" if attempt.reply.is_success else "failed"
                happened.append(
                    Happening(
                        each.at_ns,
                        outcome,
                        delivery.event.sandbox_id,
                        delivery.webhook.webhook_id,
                    )
                )
        return happened

    def on_deadline_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever the next one may have come nearer."""
        self._sandboxes.on_deadline_change(listener)
        self._deliveries.on_deadline_change(listener)
