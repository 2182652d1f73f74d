"""Builds of templates: reserve, upload, start, look."""

from __future__ import annotations

import re

from fake_e2b.backend.build_reservations import Requested, Wanted
from fake_e2b.control_plane.call import Call, json_answer
from fake_e2b.control_plane.http import Answer
from fake_e2b.domain.build import Level, LogLine, Order, Step
from fake_e2b.domain.clock import SECOND_NS
from fake_e2b.domain.template import BuildStatus
from fake_e2b.wire import rest_templates as rest
from fake_e2b.wire import template_render

_SDK = re.compile(r"e2b-(?:python|js)-sdk/(\d+)\.(\d+)")
_USER_BY_DEFAULT_SINCE = (2, 3)
_MS = SECOND_NS // 1000
_LEVELS = {"debug": Level.DEBUG, "info": Level.INFO, "warn": Level.WARN, "error": Level.ERROR}


async def request(call: Call) -> Answer:
    """`POST /v3/templates`."""
    body: rest.TemplateBuildRequestV3 = call.body
    wanted = Wanted(
        name=body.name or body.alias or "",
        tags=tuple(body.tags or ()),
        cpu_count=body.cpu_count or 2,
        memory_mb=body.memory_mb or 1024,
        team_id=body.team_id,
    )
    return _requested(call.backend.build_reservations.request(call.team, wanted))


async def request_v2(call: Call) -> Answer:
    """`POST /v2/templates`."""
    body: rest.TemplateBuildRequestV2 = call.body
    wanted = Wanted(
        name=body.alias,
        cpu_count=body.cpu_count or 2,
        memory_mb=body.memory_mb or 1024,
        team_id=body.team_id,
    )
    return _requested(call.backend.build_reservations.request(call.team, wanted))


def _requested(made: Requested) -> Answer:
    template = made.template
    return json_answer(
        202,
        {
            "templateID": template.template_id,
            "buildID": made.build.build_id,
            "public": template.public,
            "names": template.names,
            "aliases": list(template.aliases),
            "tags": list(made.tags),
        },
    )


async def upload(call: Call) -> Answer:
    """`GET /templates/{templateID}/files/{hash}`."""
    present, url = call.backend.build_requests.upload(
        call.team, call.parameters["templateID"], call.parameters["hash"]
    )
    return json_answer(201, {"present": present, "url": url})


async def start(call: Call) -> Answer:
    """`POST /v2/templates/{templateID}/builds/{buildID}`."""
    body: rest.TemplateBuildStartV2 = call.body
    order = Order(
        from_image=body.from_image or "",
        from_template=body.from_template or "",
        force=body.force,
        steps=tuple(
            Step(each.type, tuple(each.args or ()), each.force, each.files_hash or "")
            for each in body.steps or ()
        ),
        start_command=body.start_cmd or "",
        ready_command=body.ready_cmd or "",
        user_by_default=_has_user_by_default(call.headers.get("user-agent", "")),
    )
    call.backend.build_requests.start(
        call.team, call.parameters["templateID"], call.parameters["buildID"], order
    )
    # Its length is said: the JavaScript SDK reads an empty answer without one as JSON.
    return Answer(202, b"", headers=[])


def _has_user_by_default(agent: str) -> bool:
    """Builds of SDKs before 2.3 stay as their image has it. Fact: templates.build.start"""
    found = _SDK.search(agent)
    return found is None or (int(found[1]), int(found[2])) >= _USER_BY_DEFAULT_SINCE


async def status(call: Call) -> Answer:
    """`GET /templates/{templateID}/builds/{buildID}/status`."""
    query: rest.BuildStatusQuery = call.query
    template, build = call.backend.build_requests.find(
        call.team, call.parameters["templateID"], call.parameters["buildID"]
    )
    shown = [] if build.status is BuildStatus.WAITING else _from_level(build.log, query.level)
    page = shown[query.logs_offset : query.logs_offset + query.limit]
    return json_answer(200, template_render.build_info(template, build, page))


async def logs(call: Call) -> Answer:
    """`GET /templates/{templateID}/builds/{buildID}/logs`."""
    query: rest.BuildLogsQuery = call.query
    _, build = call.backend.build_requests.find(
        call.team, call.parameters["templateID"], call.parameters["buildID"]
    )
    shown = [] if build.status is BuildStatus.WAITING else _from_level(build.log, query.level)
    at_ns = None if query.cursor is None else query.cursor * _MS
    if query.direction == "backward":
        shown = [each for each in reversed(shown) if at_ns is None or each.at_ns <= at_ns]
    else:
        shown = [each for each in shown if at_ns is None or each.at_ns >= at_ns]
    return json_answer(
        200, {"logs": [template_render.log_entry(each) for each in shown[: query.limit]]}
    )


def _from_level(log: list[LogLine], level: str | None) -> list[LogLine]:
    least = Level.DEBUG if level is None else _LEVELS[level]
    return [each for each in log if each.level >= least]
