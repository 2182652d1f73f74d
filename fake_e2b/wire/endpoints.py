"""The operations that the control plane really does: what each takes and gives.

Requests are read, answers rendered and the OpenAPI document written from this one table. What the
API has and this table has not is a gap.
"""

from __future__ import annotations

from fake_e2b.wire import rest
from fake_e2b.wire.endpoint import Endpoint
from fake_e2b.wire.event_endpoints import EVENT_ENDPOINTS
from fake_e2b.wire.storage_endpoints import STORAGE_ENDPOINTS
from fake_e2b.wire.team_endpoints import TEAM_ENDPOINTS
from fake_e2b.wire.template_endpoints import TEMPLATE_ENDPOINTS
from fake_e2b.wire.webhook_endpoints import WEBHOOK_ENDPOINTS

__all__ = ["ENDPOINTS", "Endpoint"]


_STARTS = (400, 404, 409, 413, 429, 503)
_CHANGES = (400, 404, 409, 413)

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET", "/health", "Whether the service answers", {200: None}, refusals=(), public=True
    ),
    Endpoint(
        "POST",
        "/sandboxes",
        "Create a sandbox (first generation)",
        {201: rest.Sandbox},
        body=rest.NewSandbox,
        body_required=True,
        refusals=_STARTS,
    ),
    Endpoint(
        "POST",
        "/v2/sandboxes",
        "Create a sandbox",
        {201: rest.Sandbox},
        body=rest.NewSandboxV2,
        body_required=True,
        refusals=(*_STARTS, 422),
    ),
    Endpoint(
        "GET",
        "/sandboxes",
        "List running sandboxes (first generation)",
        {200: rest.ListedSandbox},
        query=rest.RunningQuery,
        is_list=True,
    ),
    Endpoint(
        "GET",
        "/v2/sandboxes",
        "List sandboxes",
        {200: rest.ListedSandbox},
        query=rest.ListQuery,
        is_list=True,
    ),
    Endpoint(
        "GET",
        "/sandboxes/metrics",
        "The newest metrics of several sandboxes",
        {200: rest.SandboxesWithMetrics},
        query=rest.ManyMetricsQuery,
    ),
    Endpoint(
        "GET",
        "/sandboxes/{sandboxID}",
        "One sandbox",
        {200: rest.SandboxDetail},
        refusals=(400, 404),
    ),
    Endpoint(
        "DELETE",
        "/sandboxes/{sandboxID}",
        "Kill a sandbox",
        {204: None},
        refusals=(400, 404),
    ),
    Endpoint(
        "GET",
        "/sandboxes/{sandboxID}/metrics",
        "A sandbox's metrics",
        {200: rest.SandboxMetric},
        query=rest.MetricsQuery,
        is_list=True,
    ),
    Endpoint(
        "GET",
        "/sandboxes/{sandboxID}/logs",
        "A sandbox's logs (first generation)",
        {200: rest.SandboxLogs},
        query=rest.LogsQuery,
    ),
    Endpoint(
        "GET",
        "/v2/sandboxes/{sandboxID}/logs",
        "A sandbox's logs",
        {200: rest.SandboxLogsV2Response},
        query=rest.LogsV2Query,
    ),
    Endpoint(
        "POST",
        "/sandboxes/{sandboxID}/pause",
        "Pause a sandbox",
        {204: None},
        body=rest.SandboxPauseRequest,
        refusals=(*_CHANGES, 503),
    ),
    Endpoint(
        "POST",
        "/sandboxes/{sandboxID}/resume",
        "Resume a paused sandbox",
        {201: rest.Sandbox},
        body=rest.ResumedSandbox,
        refusals=_STARTS,
    ),
    Endpoint(
        "POST",
        "/sandboxes/{sandboxID}/connect",
        "Extend or resume a sandbox (first generation)",
        {200: rest.Sandbox, 201: rest.Sandbox},
        body=rest.ConnectSandbox,
        body_required=True,
        refusals=_STARTS,
    ),
    Endpoint(
        "POST",
        "/v2/sandboxes/{sandboxID}/connect",
        "Extend or resume a sandbox",
        {200: rest.Sandbox, 201: rest.Sandbox},
        body=rest.ConnectSandboxV2,
        body_required=True,
        refusals=_STARTS,
    ),
    Endpoint(
        "POST",
        "/sandboxes/{sandboxID}/fork",
        "Start sandboxes from a running one's files",
        {201: rest.SandboxForkResult},
        body=rest.SandboxForkRequest,
        is_list=True,
        refusals=_CHANGES,
    ),
    Endpoint(
        "POST",
        "/sandboxes/{sandboxID}/snapshots",
        "Make a template from a running sandbox's files",
        {201: rest.SnapshotInfo},
        body=rest.SandboxSnapshotRequest,
        body_required=True,
        refusals=_CHANGES,
    ),
    Endpoint(
        "GET",
        "/snapshots",
        "List the templates made from sandboxes",
        {200: rest.SnapshotInfo},
        query=rest.SnapshotsQuery,
        is_list=True,
    ),
    Endpoint(
        "POST",
        "/sandboxes/{sandboxID}/timeout",
        "Set when a sandbox ends",
        {204: None},
        body=rest.SandboxTimeoutRequest,
        typed_empty_is_eof=True,
        refusals=_CHANGES,
    ),
    Endpoint(
        "POST",
        "/sandboxes/{sandboxID}/refreshes",
        "Let a sandbox live longer",
        {204: None},
        body=rest.SandboxRefreshRequest,
        typed_empty_is_eof=True,
        refusals=_CHANGES,
    ),
    Endpoint(
        "PUT",
        "/sandboxes/{sandboxID}/network",
        "Replace what a sandbox may reach",
        {204: None},
        body=rest.SandboxNetworkUpdateConfig,
        body_required=True,
        refusals=_CHANGES,
    ),
    *TEMPLATE_ENDPOINTS,
    *STORAGE_ENDPOINTS,
    *EVENT_ENDPOINTS,
    *TEAM_ENDPOINTS,
    *WEBHOOK_ENDPOINTS,
)
