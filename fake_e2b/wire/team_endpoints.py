"""The operations on teams, keys, tokens and of administrators; see `endpoints`."""

from __future__ import annotations

from fake_e2b.wire import rest_teams as rest
from fake_e2b.wire.endpoint import Endpoint

TEAM_ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/teams",
        "The user's teams, each with a new key",
        {200: rest.Team},
        is_list=True,
        refusals=(),
    ),
    Endpoint(
        "GET",
        "/teams/{teamID}/metrics",
        "How many sandboxes a team ran and started",
        {200: rest.TeamMetric},
        query=rest.TeamMetricsQuery,
        is_list=True,
    ),
    Endpoint(
        "GET",
        "/teams/{teamID}/metrics/max",
        "The highest value of a team's metric",
        {200: rest.MaxTeamMetric},
        query=rest.MaxTeamMetricQuery,
    ),
    Endpoint(
        "GET",
        "/api-keys",
        "List the team's API keys",
        {200: rest.TeamAPIKey},
        is_list=True,
    ),
    Endpoint(
        "POST",
        "/api-keys",
        "Create an API key",
        {201: rest.CreatedTeamAPIKey},
        body=rest.NewTeamAPIKey,
        body_required=True,
        refusals=(400, 413),
    ),
    Endpoint(
        "PATCH",
        "/api-keys/{apiKeyID}",
        "Rename an API key",
        {202: None},
        body=rest.UpdateTeamAPIKey,
        body_required=True,
        refusals=(400, 404, 413),
    ),
    Endpoint(
        "DELETE",
        "/api-keys/{apiKeyID}",
        "Delete an API key",
        {204: None},
        refusals=(400, 404),
    ),
    Endpoint(
        "POST",
        "/access-tokens",
        "Create a personal access token",
        {201: rest.CreatedAccessToken},
        body=rest.NewAccessToken,
        body_required=True,
        refusals=(400, 413),
    ),
    Endpoint(
        "DELETE",
        "/access-tokens/{accessTokenID}",
        "Delete a personal access token",
        {204: None},
        refusals=(400, 404),
    ),
    Endpoint(
        "POST",
        "/admin/teams/{teamID}/sandboxes/kill",
        "Kill a team's running sandboxes",
        {200: rest.AdminSandboxKillResult},
    ),
    Endpoint(
        "GET",
        "/admin/sandboxes/running-counts",
        "How many sandboxes run, by team",
        {200: rest.AdminTeamRunningSandboxCounts},
        refusals=(),
    ),
    Endpoint(
        "POST",
        "/admin/teams/{teamID}/builds/cancel",
        "End a team's builds",
        {200: rest.AdminBuildCancelResult},
    ),
    Endpoint(
        "POST",
        "/admin/teams/{teamID}/api-keys",
        "Create an API key of a team",
        {201: rest.CreatedTeamAPIKey},
        body=rest.NewTeamAPIKey,
        body_required=True,
        refusals=(400, 404, 413),
    ),
    Endpoint(
        "DELETE",
        "/admin/teams/{teamID}/api-keys/{apiKeyID}",
        "Delete an API key of a team",
        {204: None},
        refusals=(400, 404),
    ),
)
