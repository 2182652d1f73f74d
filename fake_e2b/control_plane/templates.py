"""Templates: lists, one of them, what can be changed, and whether a name is taken."""

from __future__ import annotations

from fake_e2b.backend.template_catalog import Position
from fake_e2b.control_plane.call import Call, json_answer, no_content
from fake_e2b.control_plane.http import Answer
from fake_e2b.wire import rest_templates as rest
from fake_e2b.wire import template_render
from fake_e2b.wire.cursor import Cursor, decode_cursor, encode_cursor


async def list_all(call: Call) -> Answer:
    """`GET /templates`."""
    query: rest.TemplatesQuery = call.query
    found = call.backend.catalog.all(call.team, query.team_id)
    return json_answer(200, [template_render.template(each) for each in found])


async def list_page(call: Call) -> Answer:
    """`GET /v2/templates`."""
    query: rest.TemplatesPageQuery = call.query
    page = call.backend.catalog.page(
        call.team, query.team_id, limit=query.limit, after=_position(query.next_token)
    )
    answer = json_answer(200, [template_render.template(each) for each in page.templates])
    if page.last is not None:
        _add_token(answer, page.last.created_at_ns, page.last.template_id)
    return answer


async def list_defaults(call: Call) -> Answer:
    """`GET /default-templates`."""
    return json_answer(
        200,
        [
            template_render.template(each, foreign=each.team_id != call.team.team_id)
            for each in call.backend.catalog.defaults()
        ],
    )


async def get(call: Call) -> Answer:
    """`GET /templates/{templateID}`."""
    query: rest.TemplateQuery = call.query
    page = call.backend.catalog.get(
        call.team,
        call.parameters["templateID"],
        limit=query.limit,
        after=_position(query.next_token),
    )
    answer = json_answer(200, template_render.template_with_builds(page.template, page.builds))
    if page.last is not None:
        _add_token(answer, page.last.created_at_ns, page.last.build_id)
    return answer


async def update(call: Call) -> Answer:
    """`PATCH /v2/templates/{templateID}`."""
    body: rest.TemplateUpdateRequest = call.body
    template = call.backend.catalog.update(
        call.team, call.parameters["templateID"], public=body.public
    )
    return json_answer(200, {"names": template.names})


async def update_v1(call: Call) -> Answer:
    """`PATCH /templates/{templateID}`."""
    body: rest.TemplateUpdateRequest = call.body
    call.backend.catalog.update(
        call.team, call.parameters["templateID"], public=body.public, claims_bare_name=True
    )
    return json_answer(200, None)


async def delete(call: Call) -> Answer:
    """`DELETE /templates/{templateID}`."""
    await call.backend.sandboxes.snapshots.delete_template(call.team, call.parameters["templateID"])
    return no_content()


async def check_alias(call: Call) -> Answer:
    """`GET /templates/aliases/{alias}`."""
    template = call.backend.catalog.check_alias(call.team, call.parameters["alias"])
    return json_answer(200, {"templateID": template.template_id, "public": template.public})


def _position(token: str | None) -> Position | None:
    cursor = decode_cursor(token or "", ascending=False)
    return None if cursor is None else (cursor.started_at_ns, cursor.sandbox_id)


def _add_token(answer: Answer, at_ns: int, last_id: str) -> None:
    token = encode_cursor(Cursor(at_ns, last_id), ascending=False)
    answer.headers.append((b"x-next-token", token.encode()))
