"""What is to be delivered to webhooks, when what failed is tried again, and the log of all tries.

Facts: webhooks.retries, webhooks.log, webhooks.stats
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass

from fake_e2b.domain.clock import SECOND_NS, Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.due import Deadline
from fake_e2b.domain.event import EventType, SandboxEvent
from fake_e2b.domain.webhook import MOST_TRIES, RETRY_AFTER_NS, Attempt, Delivery, Webhook

KEPT_NS = 7 * 24 * 3600 * SECOND_NS
ATTEMPTS_REMEMBERED = 20_000
"""Of all webhooks; the oldest go first."""
BUCKET_NS = 3600 * SECOND_NS
DAY_NS = 24 * BUCKET_NS
_Numbered = tuple[int, Attempt]


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some tries; `after` continues, and is None on the last page."""

    attempts: list[Attempt]
    after: int | None


@dataclass(frozen=True, slots=True)
class Stats:
    """How some tries went; durations are None when there were none."""

    at_ns: int
    total: int
    failed: int
    minimum_ms: int | None
    average_ms: float | None
    maximum_ms: int | None


@dataclass(frozen=True, slots=True)
class Begun:
    """A further try that is under way since `at_ns`; see `Deliveries.on_delivery` for `over`."""

    at_ns: int
    delivery: Delivery
    over: Awaitable[Attempt | None]


class Deliveries:
    """Those of all webhooks. Who sends them is told by `on_delivery`, and tells `attempted`.

    Args:
        clock: Says when what failed is tried again.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._log: deque[_Numbered] = deque(maxlen=ATTEMPTS_REMEMBERED)
        self._numbers = itertools.count(1)
        self._retries: list[tuple[int, int, Delivery]] = []
        self._deliver: Callable[[Delivery], Awaitable[Attempt | None]] = _undelivered
        self._listeners: list[Callable[[], None]] = []

    def on_delivery(self, deliver: Callable[[Delivery], Awaitable[Attempt | None]]) -> None:
        """Call `deliver`, and no other, with everything that is to be sent.

        Args:
            deliver: Begins a try. What it returns gives the try when it is over, or None when it
                was broken off; nobody need await it.
        """
        self._deliver = deliver

    def on_deadline_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` when something is to be tried again."""
        self._listeners.append(listener)

    def begin(self, webhook: Webhook, event: SandboxEvent) -> None:
        """Deliver an event."""
        self._deliver(Delivery(webhook, event))

    def attempted(self, attempt: Attempt) -> None:
        """A try is over: it is logged, and made again later if it failed."""
        delivery = attempt.delivery
        if delivery.webhook.gone:
            return
        number = next(self._numbers)
        self._log.append((number, attempt))
        reply = attempt.reply
        if reply.is_success or not reply.sent or delivery.number >= MOST_TRIES:
            return
        again = Delivery(delivery.webhook, delivery.event, delivery.number + 1)
        due_ns = self._clock.now_ns() + RETRY_AFTER_NS
        heapq.heappush(self._retries, (due_ns, number, again))
        for listener in self._listeners:
            listener()

    def next_deadline(self) -> Deadline | None:
        """When something is tried again; None when nothing is."""
        while self._retries and not stands(self._retries[0][2]):
            heapq.heappop(self._retries)
        if not self._retries:
            return None
        at_ns, _, delivery = self._retries[0]
        return Deadline(at_ns, "deliver", delivery.event.sandbox_id, delivery.webhook.webhook_id)

    def run_due(self) -> list[Begun]:
        """Try again what is due; the tries are under way when this returns."""
        now_ns, begun = self._clock.now_ns(), []
        while self._retries and self._retries[0][0] <= now_ns:
            delivery = heapq.heappop(self._retries)[2]
            if stands(delivery):
                begun.append(Begun(now_ns, delivery, self._deliver(delivery)))
        return begun

    def attempts(self) -> list[Attempt]:
        """All tries that are remembered, oldest first."""
        return [attempt for _, attempt in self._log]

    def page(
        self,
        webhook: Webhook,
        *,
        after: int | None,
        limit: int,
        ascending: bool,
        start_ns: int | None,
        end_ns: int | None,
        succeeded: Collection[bool],
        types: Collection[EventType],
    ) -> LogPage:
        """The next tries.

        Args:
            after: From the page before.
            start_ns: The first instant; with `end_ns`, which is the first one beyond.
            succeeded: Only tries that went so; empty for all.
            types: Only events of these types; empty for all.

        Raises:
            ControlError: BAD_DELIVERY_RANGE.
        """
        if (start_ns is None) != (end_ns is None):
            raise ControlError(ControlKind.BAD_DELIVERY_RANGE)
        found = [
            (number, each)
            for number, each in self._of(webhook, start_ns, end_ns)
            if (not succeeded or each.reply.is_success in succeeded)
            and (not types or each.delivery.event.type in types)
        ]
        if not ascending:
            found.reverse()
        if after is not None:
            found = [each for each in found if (each[0] > after) == ascending and each[0] != after]
        page = found[:limit]
        return LogPage([each for _, each in page], page[-1][0] if len(found) > len(page) else None)

    def stats(
        self, webhook: Webhook, *, start_ns: int | None, end_ns: int | None
    ) -> tuple[Stats, list[Stats]]:
        """How tries went: all together, and hour by hour where there were any.

        Args:
            start_ns: A day before the end unless given.
            end_ns: Now unless given, which is within then.
        """
        now_ns = self._clock.now_ns()
        end_ns = now_ns + 1 if end_ns is None else end_ns
        start_ns = end_ns - DAY_NS if start_ns is None else start_ns
        found = [each for _, each in self._of(webhook, start_ns, end_ns)]
        buckets = [
            _stats(at_ns * BUCKET_NS, list(each))
            for at_ns, each in itertools.groupby(found, key=lambda each: each.at_ns // BUCKET_NS)
        ]
        return _stats(start_ns, found), buckets

    def _of(
        self, webhook: Webhook, start_ns: int | None, end_ns: int | None
    ) -> Iterator[_Numbered]:
        oldest_ns = self._clock.now_ns() - KEPT_NS
        while self._log and self._log[0][1].at_ns < oldest_ns:
            self._log.popleft()
        for number, each in self._log:
            if each.delivery.webhook is not webhook:
                continue
            if (start_ns is None or each.at_ns >= start_ns) and (
                end_ns is None or each.at_ns < end_ns
            ):
                yield number, each

    def clear(self) -> None:
        """Forget everything that was tried or is to be."""
        self._log.clear()
        self._retries.clear()


def _undelivered(delivery: Delivery) -> Awaitable[Attempt | None]:
    raise RuntimeError(f"nobody delivers {delivery}")


def stands(delivery: Delivery) -> bool:
    """Whether its webhook still wants anything."""
    return delivery.webhook.enabled and not delivery.webhook.gone


def _stats(at_ns: int, attempts: list[Attempt]) -> Stats:
    durations = [each.reply.duration_ms for each in attempts]
    return Stats(
        at_ns=at_ns,
        total=len(attempts),
        failed=sum(not each.reply.is_success for each in attempts),
        minimum_ms=min(durations, default=None),
        average_ms=sum(durations) / len(durations) if durations else None,
        maximum_ms=max(durations, default=None),
    )
