"""The operations on webhooks.

Fact: webhooks.rules
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fake_e2b.backend.deliveries import Deliveries
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.event import EventType, SandboxEvent
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.records import Records
from fake_e2b.domain.team import Team
from fake_e2b.domain.webhook import Webhook, is_receivers_url


class Webhooks:
    """The webhooks of all teams.

    Args:
        ids: Makes their IDs, on a branch of its own.
        most: How many a team may have.
    """

    def __init__(
        self,
        ids: IdSource,
        clock: Clock,
        deliveries: Deliveries,
        *,
        most: int,
        records: Records,
    ) -> None:
        self._ids = ids.branch("webhooks")
        self._clock = clock
        self._deliveries = deliveries
        self._most = most
        self._records = records
        self._webhooks: dict[str, Webhook] = {}

    def note(self, event: SandboxEvent) -> None:
        """Deliver an event to all that want it."""
        for webhook in list(self._webhooks.values()):
            if webhook.wants(event):
                self._deliveries.begin(webhook, event)

    def create(
        self,
        team: Team,
        *,
        name: str,
        url: str,
        events: Sequence[EventType],
        enabled: bool,
        secret: str,
    ) -> Webhook:
        """A new webhook, which is told of what happens from now on.

        Raises:
            ControlError: BAD_WEBHOOK, WEBHOOK_LIMIT.
        """
        check_webhook(url, events)
        if len(self.all(team)) >= self._most:
            raise ControlError(ControlKind.WEBHOOK_LIMIT)
        made = Webhook(
            webhook_id=self._ids.uuid(),
            team_id=team.team_id,
            name=name,
            url=url,
            events=tuple(dict.fromkeys(events)),
            enabled=enabled,
            secret=secret,
            created_at_ns=self._clock.now_ns(),
        )
        self._records.keep(made)
        self._webhooks[made.webhook_id] = made
        return made

    def all(self, team: Team) -> list[Webhook]:
        """A team's, in the order of their making."""
        return [each for each in self._webhooks.values() if each.team_id == team.team_id]

    def get(self, team: Team, webhook_id: str) -> Webhook:
        """One of the team's.

        Raises:
            ControlError: WEBHOOK_NOT_FOUND.
        """
        found = self._webhooks.get(webhook_id)
        if found is None or found.team_id != team.team_id:
            raise ControlError(ControlKind.WEBHOOK_NOT_FOUND)
        return found

    def update(
        self,
        team: Team,
        webhook_id: str,
        *,
        name: str | None,
        url: str | None,
        events: Sequence[EventType] | None,
        enabled: bool | None,
        secret: str | None,
    ) -> Webhook:
        """Change what is given; all of it or nothing.

        Raises:
            ControlError: WEBHOOK_NOT_FOUND, BAD_WEBHOOK.
        """
        webhook = self.get(team, webhook_id)
        check_webhook(url, events)
        wanted = {
            "name": name,
            "url": url,
            "events": None if events is None else tuple(dict.fromkeys(events)),
            "enabled": enabled,
            "secret": secret,
        }
        changes: dict[str, Any] = {key: each for key, each in wanted.items() if each is not None}
        self._records.keep(replace(webhook, **changes))
        for key, value in changes.items():
            setattr(webhook, key, value)  # deliveries under way are of this very one
        return webhook

    def delete(self, team: Team, webhook_id: str) -> None:
        """Forget a webhook with its log; what was to be tried again is not.

        Raises:
            ControlError: WEBHOOK_NOT_FOUND.
        """
        webhook = self.get(team, webhook_id)
        self._records.forget(webhook)
        del self._webhooks[webhook_id]
        webhook.gone = True

    def restore(self) -> None:
        """Have what was recorded."""
        self._webhooks = {each.webhook_id: each for each in self._records.all(Webhook)}

    def clear(self) -> None:
        """Forget everything."""
        for webhook in self._webhooks.values():
            webhook.gone = True
        self._webhooks.clear()
        self._deliveries.clear()


def check_webhook(url: str | None, events: Sequence[EventType] | None) -> None:
    """Refuse what no webhook can have; None is not looked at.

    Raises:
        ControlError: BAD_WEBHOOK.
    """
    wrong = []
    if url is not None and not is_receivers_url(url):
        wrong.append("url: must be a valid http or https URL")
    if events is not None and not events:
        wrong.append("events: must specify at least one event type")
    if wrong:
        raise ControlError(ControlKind.BAD_WEBHOOK, reason="; ".join(wrong))
