"""Delivers events to webhooks aside from what is asked of the fake, some at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fake_e2b.backend.deliveries import Deliveries, stands
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.webhook import Attempt, Delivery
from fake_e2b.server.receiver import Receivers
from fake_e2b.wire.webhook_letter import WebhookKeys, letter

_AT_ONCE = 64


class Courier:
    """Sends what `Deliveries` has to send, and tells it how that went.

    Args:
        keys: See `letter`.
        note: Told of each try that is over.
        on_error: Told of an unforeseen failure.
    """

    def __init__(
        self,
        deliveries: Deliveries,
        receivers: Receivers,
        *,
        ids: IdSource,
        clock: Clock,
        keys: WebhookKeys,
        note: Callable[[Attempt], object],
        on_error: Callable[[BaseException], None],
    ) -> None:
        self._deliveries = deliveries
        self._receivers = receivers
        self._ids = ids.branch("deliveries")
        self._clock = clock
        self._keys = keys
        self._note = note
        self._on_error = on_error
        self._tasks: set[asyncio.Task[Attempt | None]] = set()
        self._room = asyncio.Semaphore(_AT_ONCE)
        deliveries.on_delivery(self._begin)

    def _begin(self, delivery: Delivery) -> asyncio.Future[Attempt | None]:
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._deliver(delivery), name="fake-e2b webhook")
        over: asyncio.Future[Attempt | None] = loop.create_future()
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._ended(task, over))
        return over

    async def _deliver(self, delivery: Delivery) -> Attempt | None:
        sent = letter(delivery.webhook, delivery.event, self._ids.uuid(), self._keys)
        async with self._room:
            if not stands(delivery):
                return None
            at_ns = self._clock.now_ns()
            reply = await self._receivers.post(sent)
        attempt = Attempt(delivery, sent, reply, at_ns)
        self._deliveries.attempted(attempt)
        self._note(attempt)
        return attempt

    def _ended(
        self, task: asyncio.Task[Attempt | None], over: asyncio.Future[Attempt | None]
    ) -> None:
        self._tasks.discard(task)
        attempt = None
        if not task.cancelled():
            if (error := task.exception()) is not None:
                self._on_error(error)
            else:
                attempt = task.result()
        if not over.done():  # whoever waited may have been cancelled, and it along
            over.set_result(attempt)

    async def settle(self) -> None:
        """Return when nothing is under way."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Break off what is under way, and wait until nothing of it is left."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
