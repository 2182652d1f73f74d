"""The request that delivers an event: its body, its headers and its signature.

Facts: webhooks.delivery, webhooks.signature
"""

from __future__ import annotations

import base64
import hashlib
from typing import Literal

from fake_e2b.domain.event import LABELS, SandboxEvent
from fake_e2b.domain.webhook import Letter, Webhook
from fake_e2b.wire import event_render, service_json
from fake_e2b.wire.rest_render import Object
from fake_e2b.wire.timestamps import format_instant

WebhookKeys = Literal["snake", "camel"]
SIGNATURE = "e2b-signature"


def letter(webhook: Webhook, event: SandboxEvent, delivery_id: str, keys: WebhookKeys) -> Letter:
    """One try to deliver an event.

    Args:
        keys: How the body's keys are written: sources disagree.
    """
    shown = snake_case(event) if keys == "snake" else event_render.event(event)
    body = service_json.encode(shown)
    headers = {
        "content-type": "application/json",
        "e2b-webhook-id": webhook.webhook_id,
        "e2b-delivery-id": delivery_id,
        "e2b-signature-version": "v1",
        SIGNATURE: signature(webhook.secret, body),
    }
    return Letter(delivery_id, webhook.url, headers, body)


def snake_case(event: SandboxEvent) -> Object:
    """An event as its producer writes it; data that says nothing is left out."""
    shown: Object = {
        "id": event.event_id,
        "version": event_render.VERSION,
        "type": event.type.value,
        "timestamp": format_instant(event.at_ns),
        "event_category": event_render.CATEGORY,
        "event_label": LABELS.get(event.type, ""),
    }
    data = event_render.event_data(event.data)
    if data:
        shown["event_data"] = data
    return {
        **shown,
        "sandbox_id": event.sandbox_id,
        "sandbox_execution_id": event.execution_id,
        "sandbox_template_id": event.template_id,
        "sandbox_build_id": event.build_id,
        "sandbox_team_id": event.team_id,
    }


def signature(secret: str, body: bytes) -> str:
    """What a receiver compares with: a plain hash of secret and body, no HMAC.

    >>> signature("secret", b"{}")
    'e9B8ejqc2_sG6v6Lh2cAHsXgRKkAkGentpGLCOuoSYs'
    """
    digest = hashlib.sha256(secret.encode("utf-8", "surrogatepass") + body).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
