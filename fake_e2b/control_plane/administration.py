"""What administrators do to teams."""

from __future__ import annotations

from fake_e2b.control_plane.call import Call, json_answer, no_content, uuid_of
from fake_e2b.control_plane.http import Answer
from fake_e2b.wire import rest_teams as rest
from fake_e2b.wire import team_render


async def kill_sandboxes(call: Call) -> Answer:
    """`POST /admin/teams/{teamID}/sandboxes/kill`."""
    counts = await call.backend.administration.kill_sandboxes(_uuid(call, "teamID"))
    return json_answer(200, team_render.killed(counts))


async def running_counts(call: Call) -> Answer:
    """`GET /admin/sandboxes/running-counts`."""
    return json_answer(200, call.backend.administration.running_counts())


async def cancel_builds(call: Call) -> Answer:
    """`POST /admin/teams/{teamID}/builds/cancel`."""
    counts = call.backend.administration.cancel_builds(_uuid(call, "teamID"))
    return json_answer(200, team_render.cancelled(counts))


async def create_key(call: Call) -> Answer:
    """`POST /admin/teams/{teamID}/api-keys`."""
    body: rest.NewTeamAPIKey = call.body
    made = call.backend.api_keys.create_for(_uuid(call, "teamID"), body.name)
    return json_answer(201, team_render.created_api_key(made))


async def delete_key(call: Call) -> Answer:
    """`DELETE /admin/teams/{teamID}/api-keys/{apiKeyID}`."""
    call.backend.api_keys.delete_for(_uuid(call, "teamID"), _uuid(call, "apiKeyID"))
    return no_content()


def _uuid(call: Call, name: str) -> str:
    return uuid_of(name, call.parameters[name])
