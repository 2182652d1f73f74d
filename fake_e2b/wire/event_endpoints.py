"""The operations on events; see `fake_e2b.wire.endpoints`."""

from __future__ import annotations

from fake_e2b.wire import rest_events as rest
from fake_e2b.wire.endpoint import Endpoint

EVENT_ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/events/sandboxes",
        "What happened to the team's sandboxes",
        {200: rest.SandboxEvent},
        query=rest.EventsQuery,
        is_list=True,
    ),
    Endpoint(
        "GET",
        "/events/sandboxes/{sandboxID}",
        "What happened to one sandbox",
        {200: rest.SandboxEvent},
        query=rest.EventsQuery,
        is_list=True,
    ),
)
