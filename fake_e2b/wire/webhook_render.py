"""Webhooks and their logs as REST shapes.

Fact: webhooks.log
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping

from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.webhook import Attempt, Webhook
from fake_e2b.wire import rest_webhooks
from fake_e2b.wire.rest_render import Object, Writer
from fake_e2b.wire.timestamps import format_instant
from fake_e2b.wire.webhook_letter import SIGNATURE

MOST_BODY = 64 * 1024
"""Characters shown of a body."""
_REDACTED = "[redacted]"
_WEBHOOK = Writer(rest_webhooks.Webhook)


def webhook(record: Webhook) -> Object:
    """One webhook, without its secret."""
    return _WEBHOOK(
        id=record.webhook_id,
        team_id=record.team_id,
        name=record.name,
        created_at=format_instant(record.created_at_ns),
        url=record.url,
        enabled=record.enabled,
        events=[each.value for each in record.events],
    )


def deliveries(attempts: Iterable[Attempt], after: int | None) -> Object:
    """One page of a log: tries with the same event stand together."""
    grouped: dict[str, Object] = {}
    for each in attempts:
        event = each.delivery.event
        group = grouped.setdefault(
            event.event_id,
            {
                "eventId": event.event_id,
                "eventType": event.type.value,
                "sandboxId": event.sandbox_id,
                "attempts": [],
            },
        )
        group["attempts"].append(_attempt(each))
    cursor = None if after is None else base64.urlsafe_b64encode(b"%d" % after).decode()
    return {"data": list(grouped.values()), "nextCursor": cursor}


def _attempt(record: Attempt) -> Object:
    delivery, letter, reply = record.delivery, record.letter, record.reply
    return {
        "id": letter.delivery_id,
        "teamId": delivery.event.team_id,
        "webhookId": delivery.webhook.webhook_id,
        "eventId": delivery.event.event_id,
        "sandboxId": delivery.event.sandbox_id,
        "eventType": delivery.event.type.value,
        "status": "success" if reply.is_success else "failed",
        "durationMs": reply.duration_ms,
        "requestBody": letter.body.decode()[:MOST_BODY],
        "requestHeaders": _headers({**letter.headers, SIGNATURE: _REDACTED}),
        "requestUrl": letter.url,
        "responseBody": None if reply.body is None else reply.body[:MOST_BODY],
        "responseHeaders": None if reply.headers is None else _headers(reply.headers),
        "responseHttpStatusCode": reply.status,
        "errorClass": None if reply.error_class is None else reply.error_class.value,
        "errorMessage": reply.error_message,
        "timestamp": format_instant(record.at_ns),
    }


def _headers(headers: Mapping[str, str]) -> str:
    return json.dumps(dict(headers), separators=(",", ":"))


def read_cursor(text: str | None) -> int | None:
    """What `deliveries` made of `after`.

    Raises:
        ControlError: BAD_CURSOR.
    """
    if text is None:
        return None
    try:
        digits = base64.b64decode(text, altchars=b"-_", validate=True)
        if digits.isdigit():
            return int(digits[:20])
    except ValueError:
        pass
    raise ControlError(ControlKind.BAD_CURSOR)
