"""What a team's sandboxes amounted to over time."""

from __future__ import annotations

from fake_e2b.backend.team_metrics import TeamMetric
from fake_e2b.control_plane.call import Call, json_answer
from fake_e2b.control_plane.http import Answer
from fake_e2b.wire import rest_teams as rest
from fake_e2b.wire import team_render


async def series(call: Call) -> Answer:
    """`GET /teams/{teamID}/metrics`."""
    query: rest.TeamMetricsQuery = call.query
    points = call.backend.team_metrics.series(
        call.team, call.parameters["teamID"], start_s=query.start, end_s=query.end
    )
    return json_answer(
        200,
        [team_render.metric(each.unix_s, each.concurrent, each.start_rate) for each in points],
    )


async def highest(call: Call) -> Answer:
    """`GET /teams/{teamID}/metrics/max`."""
    query: rest.MaxTeamMetricQuery = call.query
    unix_s, value = call.backend.team_metrics.highest(
        call.team,
        call.parameters["teamID"],
        TeamMetric(query.metric),
        start_s=query.start,
        end_s=query.end,
    )
    return json_answer(200, team_render.max_metric(unix_s, value))
