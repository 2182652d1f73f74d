"""The operations on webhooks; see `fake_e2b.wire.endpoints`."""

from __future__ import annotations

from fake_e2b.wire import rest_webhooks as rest
from fake_e2b.wire.endpoint import Endpoint

_ONE = "/events/webhooks/{webhookID}"

WEBHOOK_ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "POST",
        "/events/webhooks",
        "Create a webhook",
        {201: rest.Webhook},
        body=rest.NewWebhook,
        body_required=True,
        refusals=(400, 413, 429),
    ),
    Endpoint(
        "GET",
        "/events/webhooks",
        "List webhooks",
        {200: rest.Webhook},
        is_list=True,
        refusals=(),
    ),
    Endpoint("GET", _ONE, "One webhook", {200: rest.Webhook}, refusals=(404,)),
    Endpoint(
        "PATCH",
        _ONE,
        "Change a webhook",
        {200: rest.Webhook},
        body=rest.WebhookUpdate,
        body_required=True,
        refusals=(400, 404, 413),
    ),
    Endpoint("DELETE", _ONE, "Delete a webhook", {200: None}, refusals=(404,)),
    Endpoint(
        "GET",
        f"{_ONE}/deliveries",
        "What was sent to a webhook, and how it answered",
        {200: rest.WebhookDeliveries},
        query=rest.DeliveriesQuery,
        refusals=(400, 404),
    ),
    Endpoint(
        "GET",
        f"{_ONE}/stats",
        "How deliveries to a webhook went",
        {200: rest.WebhookStats},
        query=rest.StatsQuery,
        refusals=(400, 404),
    ),
)
