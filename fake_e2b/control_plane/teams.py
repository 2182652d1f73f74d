"""A user's teams, the keys of a team, and personal access tokens."""

from __future__ import annotations

from fake_e2b.control_plane.call import Call, json_answer, no_content
from fake_e2b.control_plane.http import Answer
from fake_e2b.wire import rest_teams as rest
from fake_e2b.wire import team_render


async def list_all(call: Call) -> Answer:
    """`GET /teams`."""
    minted = call.backend.api_keys.mint_for_all(call.user)
    return json_answer(
        200, [team_render.team(each, is_default=each is minted[0]) for each in minted]
    )


async def list_keys(call: Call) -> Answer:
    """`GET /api-keys`."""
    return json_answer(
        200, [team_render.api_key(each) for each in call.backend.api_keys.of(call.team)]
    )


async def create_key(call: Call) -> Answer:
    """`POST /api-keys`."""
    body: rest.NewTeamAPIKey = call.body
    made = call.backend.api_keys.create(call.team, body.name, call.user)
    return json_answer(201, team_render.created_api_key(made))


async def rename_key(call: Call) -> Answer:
    """`PATCH /api-keys/{apiKeyID}`."""
    body: rest.UpdateTeamAPIKey = call.body
    call.backend.api_keys.rename(call.team, call.parameters["apiKeyID"], body.name)
    return Answer(202)


async def delete_key(call: Call) -> Answer:
    """`DELETE /api-keys/{apiKeyID}`."""
    call.backend.api_keys.delete(call.team, call.parameters["apiKeyID"])
    return no_content()


async def create_access_token(call: Call) -> Answer:
    """`POST /access-tokens`."""
    body: rest.NewAccessToken = call.body
    made = call.backend.accounts.make_access_token(body.name)
    return json_answer(201, team_render.created_access_token(made))


async def delete_access_token(call: Call) -> Answer:
    """`DELETE /access-tokens/{accessTokenID}`."""
    call.backend.accounts.delete_access_token(call.parameters["accessTokenID"])
    return no_content()
