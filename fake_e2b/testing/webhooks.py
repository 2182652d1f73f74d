"""`FakeE2B.webhooks`: what became of each try to deliver an event."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fake_e2b.domain.clock import to_datetime
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.event import EventType
from fake_e2b.domain.forms import refuse_unknown
from fake_e2b.domain.webhook import Attempt, is_receivers_url
from fake_e2b.server.app import Fake
from fake_e2b.testing.running import Running
from fake_e2b.testing.sandbox import SandboxLike

_PREFIX = "sandbox.lifecycle."


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """One try to deliver an event, which is over.

    Attributes:
        webhook_id: To which webhook.
        url: Where it went.
        event: The event's type, such as ``"sandbox.lifecycle.killed"``.
        event_id: The same for all tries of an event.
        sandbox_id: Of which sandbox the event tells.
        at: When it was tried, by the fake's clock, in UTC.
        number: 1, and up to 4 for those that failed.
        delivered: Whether the receiver has taken it.
        status: What the receiver answered; None without an answer.
        error: Why it failed; None when it did not.
        headers: As they were sent.
        body: As it was sent.
    """

    webhook_id: str
    url: str
    event: str
    event_id: str
    sandbox_id: str
    at: datetime.datetime
    number: int
    delivered: bool
    status: int | None
    error: str | None
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """What the body says."""
        return json.loads(self.body)


class FakeWebhooks:
    """Webhooks of the fake's own team, and the deliveries to those of all teams.

    Facts: webhooks.delivery, webhooks.retries, fake.webhooks.handle
    """

    def __init__(self, running: Running) -> None:
        self._running = running

    def add(
        self,
        url: str,
        events: Sequence[str] | None = None,
        *,
        secret: str = "a-secret-that-only-tests-know",
        name: str = "test",
    ) -> str:
        """Make one, as ``POST /events/webhooks`` would; until `FakeE2B.reset`.

        Args:
            url: Of the receiver.
            events: Types, with or without ``sandbox.lifecycle.``; None for all.
            secret: For the signature.

        Returns:
            Its ID.

        Raises:
            UsageError: There is no such type, or the URL is none.
        """
        if not is_receivers_url(url):
            raise UsageError(f"{url!r} is no absolute http or https URL of a receiver")
        types = [_event_type(each) for each in ([*EventType] if events is None else events)]
        if not types:
            raise UsageError("events is empty: say at least one type, or None for all")
        fake, thread = self._running()

        async def create() -> str:
            made = fake.backend.webhooks.create(
                next(iter(fake.backend.teams)),
                name=name,
                url=url,
                events=types,
                enabled=True,
                secret=secret,
            )
            return made.webhook_id

        return thread.call(create)

    def deliveries(
        self,
        *,
        webhook: str | None = None,
        event: str | None = None,
        sandbox: SandboxLike | None = None,
        delivered: bool | None = None,
    ) -> list[WebhookDelivery]:
        """The tries that are over, oldest first, after those under way have ended.

        What is to be tried again is not waited for: `fake.clock.next_deadline` tells when.

        Args:
            webhook: Only to this one, by its ID.
            event: Only of this type, with or without ``sandbox.lifecycle.``.
            sandbox: Only events of this one: its ID, or an SDK's object.
            delivered: Only those that went so.

        Raises:
            UsageError: There is no such type.
        """
        wanted = None if event is None else _event_type(event).value
        wanted_sandbox = sandbox if isinstance(sandbox, str | None) else sandbox.sandbox_id
        fake, thread = self._running()
        return [
            each
            for each in map(_shown, thread.call(lambda: _settled(fake)))
            if (webhook is None or each.webhook_id == webhook)
            and (wanted is None or each.event == wanted)
            and (wanted_sandbox is None or each.sandbox_id == wanted_sandbox)
            and (delivered is None or each.delivered is delivered)
        ]


async def _settled(fake: Fake) -> list[Attempt]:
    await fake.courier.settle()
    return fake.backend.deliveries.attempts()


def _event_type(text: str) -> EventType:
    name = text if text.startswith(_PREFIX) else f"{_PREFIX}{text}"
    refuse_unknown(name, [each.value for each in EventType], "event")
    return EventType(name)


def _shown(attempt: Attempt) -> WebhookDelivery:
    delivery, reply = attempt.delivery, attempt.reply
    return WebhookDelivery(
        webhook_id=delivery.webhook.webhook_id,
        url=attempt.letter.url,
        event=delivery.event.type.value,
        event_id=delivery.event.event_id,
        sandbox_id=delivery.event.sandbox_id,
        at=to_datetime(attempt.at_ns),
        number=delivery.number,
        delivered=reply.is_success,
        status=reply.status,
        error=reply.error_message,
        headers=dict(attempt.letter.headers),
        body=attempt.letter.body,
    )
