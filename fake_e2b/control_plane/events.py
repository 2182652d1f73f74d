"""The events of sandboxes."""

from __future__ import annotations

from fake_e2b.control_plane.call import Call, json_answer, sandbox_id
from fake_e2b.control_plane.http import Answer
from fake_e2b.domain.event import EventType
from fake_e2b.domain.ids import SandboxID
from fake_e2b.wire import event_render, rest_events


async def list_all(call: Call) -> Answer:
    """`GET /events/sandboxes`."""
    return _page(call, None)


async def list_of_sandbox(call: Call) -> Answer:
    """`GET /events/sandboxes/{sandboxID}`."""
    return _page(call, sandbox_id(call.sandbox))


def _page(call: Call, of_sandbox: SandboxID | None) -> Answer:
    query: rest_events.EventsQuery = call.query
    found = call.backend.events.page(
        call.team,
        sandbox_id=of_sandbox,
        types=[EventType(each) for each in query.types or ()],
        offset=query.offset,
        limit=query.limit,
        ascending=query.order_asc,
    )
    return json_answer(200, [event_render.event(each) for each in found])
