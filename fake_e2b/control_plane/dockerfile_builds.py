"""Builds of templates, first generation: a Dockerfile, then the start."""

from __future__ import annotations

from fake_e2b.backend.build_reservations import Requested
from fake_e2b.backend.dockerfile_builds import DockerfileWanted
from fake_e2b.control_plane.call import Call, json_answer
from fake_e2b.control_plane.http import Answer
from fake_e2b.domain.build import DockerfileRequest
from fake_e2b.wire import rest_templates as rest
from fake_e2b.wire import template_render


async def request(call: Call) -> Answer:
    """`POST /templates`."""
    return _requested(call.backend.dockerfile_builds.request(call.team, _wanted(call)))


async def rebuild(call: Call) -> Answer:
    """`POST /templates/{templateID}`."""
    template_id = call.parameters["templateID"]
    return _requested(call.backend.dockerfile_builds.rebuild(call.team, template_id, _wanted(call)))


async def start(call: Call) -> Answer:
    """`POST /templates/{templateID}/builds/{buildID}`."""
    call.backend.dockerfile_builds.start(
        call.team, call.parameters["templateID"], call.parameters["buildID"]
    )
    return Answer(202, b"", headers=[])


def _wanted(call: Call) -> DockerfileWanted:
    body: rest.TemplateBuildRequest = call.body
    return DockerfileWanted(
        DockerfileRequest(body.dockerfile, body.start_cmd or "", body.ready_cmd or ""),
        alias=body.alias,
        team_id=body.team_id,
        cpu_count=body.cpu_count or 2,
        memory_mb=body.memory_mb or 1024,
    )


def _requested(made: Requested) -> Answer:
    """The template, with the build that was reserved, not the last one that is ready."""
    return json_answer(
        202,
        template_render.template(made.template)
        | {
            "buildID": made.build.build_id,
            "cpuCount": made.build.cpu_count,
            "memoryMB": made.build.memory_mb,
        },
    )
