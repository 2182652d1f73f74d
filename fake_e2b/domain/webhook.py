"""Webhooks, and what became of each try to deliver an event to one.

Facts: webhooks.rules, webhooks.retries
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from fake_e2b.domain.clock import SECOND_NS
from fake_e2b.domain.event import EventType, SandboxEvent
from fake_e2b.domain.ids import TeamID

MOST_TRIES = 4
"""The first one and three more."""
RETRY_AFTER_NS = 10 * SECOND_NS
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")


@dataclass(slots=True)
class Webhook:
    """Where a team wants which of its events; the secret is never shown.

    Attributes:
        gone: It was deleted: nothing is sent to it any more.
    """

    webhook_id: str
    team_id: TeamID
    name: str
    url: str
    events: tuple[EventType, ...]
    enabled: bool
    secret: str = field(repr=False)
    created_at_ns: int
    gone: bool = False

    def wants(self, event: SandboxEvent) -> bool:
        """Whether that event is to be sent to it."""
        return self.enabled and self.team_id == event.team_id and event.type in self.events


class ErrorClass(StrEnum):
    """Why a try failed."""

    HTTP = "http_error"
    DNS = "dns_error"
    TIMEOUT = "timeout"
    TRANSPORT = "transport_error"
    REQUEST = "request_error"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Letter:
    """One try's request."""

    delivery_id: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, or why nothing did.

    Attributes:
        duration_ms: In real time.
        sent: Whether anything was sent at all.
    """

    duration_ms: int = 0
    status: int | None = None
    headers: Mapping[str, str] | None = None
    body: str | None = None
    error_class: ErrorClass | None = None
    error_message: str | None = None
    sent: bool = True

    @property
    def is_success(self) -> bool:
        """Whether the receiver has taken it."""
        return self.error_class is None


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event that is to be delivered, the `number`th time (1 to `MOST_TRIES`)."""

    webhook: Webhook
    event: SandboxEvent
    number: int = 1


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try that is over; `at_ns` is when it began, by the fake's clock."""

    delivery: Delivery
    letter: Letter
    reply: Reply
    at_ns: int


def is_receivers_url(text: str) -> bool:
    """Whether a text is an absolute http or https URL."""
    if _UNPRINTABLE.search(text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
