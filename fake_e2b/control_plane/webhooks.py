"""Webhooks: their routes."""

from __future__ import annotations

from fake_e2b.backend.deliveries import Stats
from fake_e2b.control_plane.call import Call, json_answer
from fake_e2b.control_plane.http import Answer
from fake_e2b.domain.event import EventType
from fake_e2b.domain.webhook import Webhook
from fake_e2b.wire import rest_webhooks as rest
from fake_e2b.wire import webhook_render
from fake_e2b.wire.timestamps import format_instant, parse_instant


async def create(call: Call) -> Answer:
    """`POST /events/webhooks`."""
    body: rest.NewWebhook = call.body
    made = call.backend.webhooks.create(
        call.team,
        name=body.name,
        url=body.url,
        events=[EventType(each) for each in body.events],
        enabled=body.enabled,
        secret=body.signature_secret,
    )
    return json_answer(201, webhook_render.webhook(made))


async def list_all(call: Call) -> Answer:
    """`GET /events/webhooks`."""
    found = call.backend.webhooks.all(call.team)
    return json_answer(200, [webhook_render.webhook(each) for each in found])


async def detail(call: Call) -> Answer:
    """`GET /events/webhooks/{webhookID}`."""
    return json_answer(200, webhook_render.webhook(_webhook(call)))


async def update(call: Call) -> Answer:
    """`PATCH /events/webhooks/{webhookID}`."""
    body: rest.WebhookUpdate = call.body
    events = None if body.events is None else [EventType(each) for each in body.events]
    changed = call.backend.webhooks.update(
        call.team,
        call.parameters["webhookID"],
        name=body.name,
        url=body.url,
        events=events,
        enabled=body.enabled,
        secret=body.signature_secret,
    )
    return json_answer(200, webhook_render.webhook(changed))


async def delete(call: Call) -> Answer:
    """`DELETE /events/webhooks/{webhookID}`."""
    call.backend.webhooks.delete(call.team, call.parameters["webhookID"])
    return Answer(200)


async def deliveries(call: Call) -> Answer:
    """`GET /events/webhooks/{webhookID}/deliveries`."""
    query: rest.DeliveriesQuery = call.query
    page = call.backend.deliveries.page(
        _webhook(call),
        after=webhook_render.read_cursor(query.cursor),
        limit=query.limit,
        ascending=query.order_asc,
        start_ns=_instant(query.start),
        end_ns=_instant(query.end),
        succeeded={each == "success" for each in query.delivery_status or ()},
        types=[EventType(each) for each in query.event_type or ()],
    )
    return json_answer(200, webhook_render.deliveries(page.attempts, page.after))


async def stats(call: Call) -> Answer:
    """`GET /events/webhooks/{webhookID}/stats`."""
    query: rest.StatsQuery = call.query
    total, buckets = call.backend.deliveries.stats(
        _webhook(call), start_ns=_instant(query.start), end_ns=_instant(query.end)
    )
    shown = [{"timestamp": format_instant(each.at_ns), **_shown(each)} for each in buckets]
    return json_answer(200, {"buckets": shown, **_shown(total)})


def _shown(stats: Stats) -> dict[str, object]:
    return {
        "total": stats.total,
        "failed": stats.failed,
        "durationMs": {
            "minimum": stats.minimum_ms or 0,
            "average": stats.average_ms or 0,
            "maximum": stats.maximum_ms or 0,
        },
    }


def _instant(text: str | None) -> int | None:
    return None if text is None else parse_instant(text)


def _webhook(call: Call) -> Webhook:
    return call.backend.webhooks.get(call.team, call.parameters["webhookID"])
