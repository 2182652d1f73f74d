"""Snapshots of sandboxes; they are deleted as templates."""

from __future__ import annotations

from fake_e2b.control_plane.call import Call, json_answer
from fake_e2b.control_plane.http import Answer
from fake_e2b.wire import rest, rest_render
from fake_e2b.wire.cursor import Cursor, decode_cursor, encode_cursor


async def create(call: Call) -> Answer:
    """`POST /sandboxes/{sandboxID}/snapshots`."""
    body: rest.SandboxSnapshotRequest = call.body
    made = await call.backend.sandboxes.snapshots.create(
        call.team, call.sandbox, name=body.name or None
    )
    return json_answer(201, rest_render.snapshot(made.snapshot_id, made.template.names))


async def list_page(call: Call) -> Answer:
    """`GET /snapshots`."""
    query: rest.SnapshotsQuery = call.query
    after = decode_cursor(query.next_token or "", ascending=False)
    page = call.backend.sandboxes.snapshots.page(
        call.team,
        sandbox_id=query.sandbox_id,
        name=query.name,
        limit=query.limit,
        after=None if after is None else (after.started_at_ns, after.sandbox_id),
    )
    answer = json_answer(
        200,
        [rest_render.snapshot(each.snapshot_id, each.template.names) for each in page.snapshots],
    )
    if page.last is not None:
        cursor = Cursor(page.last.created_at_ns, page.last.template_id)
        answer.headers.append((b"x-next-token", encode_cursor(cursor, ascending=False).encode()))
    return answer
