"""The REST shapes of webhooks; see `fake_e2b.wire.rest`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fake_e2b.wire.rest import Absent, Instant, Shape
from fake_e2b.wire.rest_events import EventTypeName


class NewWebhook(Shape):
    """Create a webhook."""

    name: str
    url: str
    events: list[EventTypeName]
    enabled: bool = True
    signature_secret: str


class WebhookUpdate(Shape):
    """What is to be changed of one."""

    name: str | Absent = None
    url: str | Absent = None
    events: list[EventTypeName] | Absent = None
    enabled: bool | Absent = None
    signature_secret: str | Absent = None


class Webhook(Shape):
    """What is shown of one: never its secret."""

    id: str
    team_id: str = Field(alias="teamId")
    name: str
    created_at: Instant
    url: str
    enabled: bool
    events: list[EventTypeName]


class DeliveriesQuery(Shape):
    """Some tries of a webhook."""

    cursor: str | Absent = None
    limit: Annotated[int, Field(ge=1, le=100, json_schema_extra={"format": "int32"})] = 25
    order_asc: bool = False
    start: Instant | Absent = None
    end: Instant | Absent = None
    delivery_status: list[Literal["success", "failed"]] | Absent = None
    event_type: list[EventTypeName] | Absent = None


class DeliveryAttempt(Shape):
    """One try."""

    id: str
    team_id: str = Field(alias="teamId")
    webhook_id: str = Field(alias="webhookId")
    event_id: str = Field(alias="eventId")
    sandbox_id: str = Field(alias="sandboxId")
    event_type: EventTypeName
    status: Literal["success", "failed"]
    duration_ms: int = Field(alias="durationMs")
    request_body: str
    request_headers: str
    request_url: str
    response_body: str | None
    response_headers: str | None
    response_http_status_code: int | None
    error_class: str | None
    error_message: str | None
    timestamp: Instant


class EventDelivery(Shape):
    """The tries with one event."""

    event_id: str = Field(alias="eventId")
    event_type: EventTypeName
    sandbox_id: str = Field(alias="sandboxId")
    attempts: list[DeliveryAttempt]


class WebhookDeliveries(Shape):
    """One page of a webhook's log."""

    data: list[EventDelivery]
    next_cursor: str | None


class StatsQuery(Shape):
    """From when to when."""

    start: Instant | Absent = None
    end: Instant | Absent = None


class DurationStats(Shape):
    """How long tries took."""

    minimum: float
    average: float
    maximum: float


class StatsBucket(Shape):
    """How the tries of one hour went."""

    timestamp: Instant
    total: int
    failed: int
    duration_ms: DurationStats = Field(alias="durationMs")


class WebhookStats(Shape):
    """How a webhook's tries went."""

    buckets: list[StatsBucket]
    total: int
    failed: int
    duration_ms: DurationStats = Field(alias="durationMs")
