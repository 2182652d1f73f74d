"""Tags of templates."""

from __future__ import annotations

from fake_e2b.backend.template_tags import SORTS
from fake_e2b.control_plane.call import Call, json_answer, no_content
from fake_e2b.control_plane.http import Answer
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.wire import rest_templates as rest
from fake_e2b.wire import template_render
from fake_e2b.wire.timestamps import format_instant, parse_instant

_ASSIGNMENTS, _MOST_ASSIGNMENTS = 6, 25
_TAGS, _MOST_TAGS = 25, 100
_HISTORY, _MOST_HISTORY = 50, 100


async def assign(call: Call) -> Answer:
    """`POST /templates/tags`."""
    body: rest.AssignTemplateTagsRequest = call.body
    build, tags = call.backend.tags.assign(call.team, body.target, body.tags)
    return json_answer(201, {"tags": tags, "buildID": build.build_id})


async def remove(call: Call) -> Answer:
    """`DELETE /templates/tags`."""
    body: rest.DeleteTemplateTagsRequest = call.body
    call.backend.tags.remove(call.team, body.name, body.tags)
    return no_content()


async def list_all(call: Call) -> Answer:
    """`GET /templates/{templateID}/tags`."""
    found = call.backend.tags.list(call.team, call.parameters["templateID"])
    return json_answer(200, [template_render.tag(each) for each in found])


async def count(call: Call) -> Answer:
    """`GET /templates/{templateID}/tags/count`."""
    return json_answer(
        200, {"total": call.backend.tags.count(call.team, call.parameters["templateID"])}
    )


async def exists(call: Call) -> Answer:
    """`GET /templates/{templateID}/tags/exists`."""
    query: rest.TagExistsQuery = call.query
    found, tag = call.backend.tags.exists(call.team, call.parameters["templateID"], query.tag)
    return json_answer(200, {"exists": found, "normalizedTag": tag})


async def groups(call: Call) -> Answer:
    """`GET /templates/{templateID}/tags/groups`."""
    query: rest.TagGroupsQuery = call.query
    sort = query.sort or SORTS[0]
    page = call.backend.tags.groups(
        call.team,
        call.parameters["templateID"],
        assignments=_bounded(query.assignment_limit, _ASSIGNMENTS, _MOST_ASSIGNMENTS),
        tags=_bounded(query.tags_limit, _TAGS, _MOST_TAGS),
        search=query.search or "",
        sort=sort,
        after=_group_position(query.tags_cursor, sort),
    )
    last = page.last
    return json_answer(
        200,
        {
            "tags": [
                {
                    "tag": group.tag,
                    "assignments": [template_render.assignment(a) for a in group.assignments],
                    "hasMore": group.has_more,
                }
                for group in page.groups
            ],
            "nextCursor": None
            if last is None
            else f"{sort}|{format_instant(last.assignments[0].at_ns)}|{last.tag}",
        },
    )


async def history(call: Call) -> Answer:
    """`GET /templates/{templateID}/tags/{tag}/assignments`."""
    query: rest.TagAssignmentsQuery = call.query
    page = call.backend.tags.history(
        call.team,
        call.parameters["templateID"],
        call.parameters["tag"],
        limit=_bounded(query.limit, _HISTORY, _MOST_HISTORY),
        after=_position(query.cursor),
    )
    last = page.last
    return json_answer(
        200,
        {
            "data": [template_render.assignment(each) for each in page.assignments],
            "nextCursor": None
            if last is None
            else f"{format_instant(last.at_ns)}|{last.assignment_id}",
        },
    )


def _bounded(asked: int | None, default: int, most: int) -> int:
    """Out of range is brought into it, not refused. Fact: templates.tags.groups"""
    return default if asked is None else min(max(asked, 1), most)


def _group_position(cursor: str | None, sort: str) -> tuple[int, str] | None:
    if not cursor:
        return None
    issued_for, _, rest_of_it = cursor.partition("|")
    if issued_for not in SORTS:
        raise ControlError(ControlKind.BAD_CURSOR)
    if issued_for != sort:
        raise ControlError(ControlKind.CURSOR_OF_OTHER_SORT)
    return _position(rest_of_it)


def _position(cursor: str | None) -> tuple[int, str] | None:
    if not cursor:
        return None
    instant, _, name = cursor.partition("|")
    at_ns = parse_instant(instant)
    if at_ns is None or not name:
        raise ControlError(ControlKind.BAD_CURSOR)
    return at_ns, name
