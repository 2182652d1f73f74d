"""Create, look at, list and kill sandboxes; what can be set about them."""

from __future__ import annotations

from typing import Any

from fake_e2b.backend.admission import CreateRequest
from fake_e2b.backend.listing import BOTH_STATES, Filter
from fake_e2b.control_plane.call import Call, json_answer, no_content
from fake_e2b.control_plane.http import Answer
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.ids import TemplateID
from fake_e2b.domain.sandbox import State
from fake_e2b.wire import rest, rest_render, service_json
from fake_e2b.wire.cursor import Cursor, decode_cursor, encode_cursor
from fake_e2b.wire.timestamps import parse_instant
from fake_e2b.wire.validation import parse_metadata_filter

MIN_REFRESH_S = 15


def create_request(body: rest.NewSandbox | rest.NewSandboxV2, *, secure: bool) -> CreateRequest:
    """What a body asks for."""
    tokens = (body.iam.tokens if body.iam is not None else None) or {}
    return CreateRequest(
        template=body.template_id,
        timeout_s=body.timeout,
        auto_pause=body.auto_pause,
        auto_pause_memory=body.auto_pause_memory,
        auto_resume=body.auto_resume is not None and body.auto_resume.enabled,
        secure=secure,
        allow_internet_access=body.allow_internet_access,
        network=None if body.network is None else _plain(body.network),
        metadata=body.metadata,
        env_vars=body.env_vars or {},
        iam_tokens={name: _plain(token) for name, token in tokens.items()},
        volume_mounts=[_plain(mount) for mount in body.volume_mounts or ()],
    )


def _plain(value: rest.Shape) -> dict[str, Any]:
    return value.model_dump(by_alias=True, exclude_none=True)


async def create(call: Call) -> Answer:
    """`POST /sandboxes`."""
    body: rest.NewSandbox = call.body
    request = create_request(body, secure=bool(body.secure))
    record = await call.backend.sandboxes.create(call.team, request)
    return json_answer(201, rest_render.sandbox(record))


async def create_v2(call: Call) -> Answer:
    """`POST /v2/sandboxes`: the same answer again for the same idempotency key."""
    body: rest.NewSandboxV2 = call.body

    async def run() -> bytes:
        request = create_request(body, secure=True)
        record = await call.backend.sandboxes.create(call.team, request)
        return service_json.encode(rest_render.sandbox(record))

    key = call.headers.get("idempotency-key")
    if not key:
        return Answer(201, await run())
    answer = await call.backend.idempotency.once(
        call.team.team_id, key, body.model_dump_json(), run
    )
    return Answer(201, answer)


async def list_running(call: Call) -> Answer:
    """`GET /sandboxes`."""
    query: rest.RunningQuery = call.query
    metadata = _metadata(query.metadata, ControlKind.BAD_METADATA_FILTER_V1)
    found = call.backend.listing.running(call.team.team_id, metadata)
    return json_answer(200, [rest_render.listed_sandbox(each) for each in found])


async def list_page(call: Call) -> Answer:
    """`GET /v2/sandboxes`. Checked in this order: cursor, metadata, template."""
    query: rest.ListQuery = call.query
    ascending = query.order == "asc"
    after = decode_cursor(query.next_token or "", ascending=ascending)
    metadata = _metadata(query.metadata, ControlKind.BAD_METADATA_FILTER)
    template_id: TemplateID | None = None
    if query.template is not None:
        found = call.backend.templates.resolve_filter(call.team, query.template)
        # No template has the empty ID: an unknown one matches nothing.
        template_id = found or TemplateID("")
    states = frozenset(State(each) for each in query.state) if query.state else BOTH_STATES
    page = call.backend.listing.page(
        call.team.team_id,
        Filter(
            states=states,
            metadata=metadata,
            started_after_ns=(
                None if query.started_after is None else parse_instant(query.started_after)
            ),
            template_id=template_id,
        ),
        limit=query.limit,
        ascending=ascending,
        after=None if after is None else (after.started_at_ns, after.sandbox_id),
    )
    headers: list[tuple[bytes, bytes]] = []
    if page.last is not None:
        cursor = Cursor(page.last.started_at_ns, page.last.sandbox_id)
        headers.append((b"x-next-token", encode_cursor(cursor, ascending=ascending).encode()))
    if query.state is None or "running" in query.state:
        headers.append((b"x-total-running", str(page.total_running or 0).encode()))
    answer = json_answer(200, [rest_render.listed_sandbox(each) for each in page.sandboxes])
    answer.headers += headers
    return answer


def _metadata(text: str | None, kind: ControlKind) -> dict[str, str] | None:
    if text is None:
        return None
    pairs = parse_metadata_filter(text)
    if pairs is None:
        raise ControlError(kind)
    return pairs


async def detail(call: Call) -> Answer:
    """`GET /sandboxes/{sandboxID}`."""
    record = call.backend.sandboxes.detail(call.team, call.sandbox)
    return json_answer(200, rest_render.sandbox_detail(record))


async def kill(call: Call) -> Answer:
    """`DELETE /sandboxes/{sandboxID}`."""
    await call.backend.sandboxes.kill(call.team, call.sandbox)
    return no_content()


async def set_timeout(call: Call) -> Answer:
    """`POST /sandboxes/{sandboxID}/timeout`; without a body the service reads 0."""
    body: rest.SandboxTimeoutRequest | None = call.body
    timeout_s = 0 if body is None else body.timeout
    call.backend.sandboxes.changes.set_timeout(call.team, call.sandbox, timeout_s=timeout_s)
    return no_content()


async def refresh(call: Call) -> Answer:
    """`POST /sandboxes/{sandboxID}/refreshes`."""
    body: rest.SandboxRefreshRequest | None = call.body
    duration_s = MIN_REFRESH_S if body is None or body.duration is None else body.duration
    call.backend.sandboxes.changes.refresh(call.team, call.sandbox, duration_s=duration_s)
    return no_content()


async def update_network(call: Call) -> Answer:
    """`PUT /sandboxes/{sandboxID}/network`."""
    body: rest.SandboxNetworkUpdateConfig = call.body
    call.backend.sandboxes.changes.update_network(
        call.team,
        call.sandbox,
        _plain(body),
        allow_internet_access=body.allow_internet_access,
    )
    return no_content()
