"""Metrics and logs: neither asks whether the sandbox exists."""

from __future__ import annotations

from fake_e2b.backend.logs import LogEntry, LogLevel
from fake_e2b.backend.metrics import MetricPoint
from fake_e2b.control_plane.call import Call, json_answer, sandbox_id
from fake_e2b.control_plane.http import Answer
from fake_e2b.wire import rest, rest_render

_LEVELS: dict[LogLevel, rest.LogLevelName] = {
    LogLevel.DEBUG: "debug",
    LogLevel.INFO: "info",
    LogLevel.WARN: "warn",
    LogLevel.ERROR: "error",
}


async def metrics(call: Call) -> Answer:
    """`GET /sandboxes/{sandboxID}/metrics`."""
    query: rest.MetricsQuery = call.query
    points = await call.backend.metrics.of_one(
        call.team.team_id, sandbox_id(call.sandbox), start_s=query.start, end_s=query.end
    )
    return json_answer(200, [_metric(point) for point in points])


async def many_metrics(call: Call) -> Answer:
    """`GET /sandboxes/metrics`."""
    query: rest.ManyMetricsQuery = call.query
    latest = await call.backend.metrics.latest(
        call.team.team_id,
        [sandbox_id(text) for text in query.sandbox_ids],
        call.backend.together,
    )
    found = {str(each): _metric(point) for each, point in latest.items()}
    return json_answer(200, rest_render.metrics_of_many(found))


def _metric(point: MetricPoint) -> rest_render.Object:
    return rest_render.metric(
        point.unix_s,
        cpu_count=point.cpu_count,
        cpu_used_pct=point.cpu_used_pct,
        mem_used=point.mem_used,
        mem_total=point.mem_total,
        mem_cache=point.mem_cache,
        disk_used=point.disk_used,
        disk_total=point.disk_total,
    )


async def logs(call: Call) -> Answer:
    """`GET /sandboxes/{sandboxID}/logs`."""
    query: rest.LogsQuery = call.query
    found = call.backend.logs.first_generation(
        call.team.team_id,
        sandbox_id(call.sandbox),
        start_ms=query.start,
        limit=query.limit,
    )
    return json_answer(200, rest_render.logs([_entry(each) for each in found]))


async def logs_v2(call: Call) -> Answer:
    """`GET /v2/sandboxes/{sandboxID}/logs`."""
    query: rest.LogsV2Query = call.query
    found = call.backend.logs.second_generation(
        call.team.team_id,
        sandbox_id(call.sandbox),
        cursor_ms=query.cursor,
        limit=query.limit,
        forward=query.direction == "forward",
        level=LogLevel.DEBUG if query.level is None else LogLevel[query.level.upper()],
        search=query.search or "",
    )
    return json_answer(200, rest_render.logs_v2([_entry(each) for each in found]))


def _entry(entry: LogEntry) -> rest_render.Object:
    return rest_render.log_entry(entry.at_ns, _LEVELS[entry.level], entry.message, entry.fields)
