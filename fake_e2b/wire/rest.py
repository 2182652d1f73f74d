"""The control plane's REST shapes: what validates requests, is rendered, and is documented.

One model a schema; names on the wire come from `wire_name`. `X | Absent = None` is a property
that may be left out and must not be null; `X | None = None` is one that may be null as well.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

_UPPER = {"id": "ID", "mb": "MB"}


def wire_name(name: str) -> str:
    """A property's name in the API; those with a name of their own say so in their `Field`."""
    first, *rest = name.split("_")
    return first + "".join(_UPPER.get(word, word.capitalize()) for word in rest)


class Shape(BaseModel):
    """A JSON object of the API; unknown properties are ignored."""

    model_config = ConfigDict(alias_generator=wire_name, defer_build=True)


Absent: TypeAlias = SkipJsonSchema[None]
Int32 = Annotated[int, Field(json_schema_extra={"format": "int32"})]
Seconds = Annotated[int, Field(ge=0, json_schema_extra={"format": "int32"})]
Instant = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Credential = Annotated[str, Field(max_length=255)]
Metadata = dict[str, str]
EnvVars = dict[str, str]


# -- what requests contain -------------------------------------------------------------------------


class EgressProxyTLS(Shape):
    """TLS on the way to the egress proxy."""

    enabled: bool
    server_name: str | Absent = None
    ca_cert: str | Absent = None


class EgressProxy(Shape):
    """A SOCKS5 proxy for what leaves the sandbox."""

    address: str
    username: Credential | Absent = None
    password: Credential | Absent = None
    tls: EgressProxyTLS | None = None


class NetworkTransform(Shape):
    """Headers that a rule sets."""

    headers: dict[str, str] | Absent = None


class NetworkRule(Shape):
    """What happens to requests to one domain."""

    transform: NetworkTransform | Absent = None


class NetworkEgress(Shape):
    """What may leave a sandbox."""

    allow_out: list[str] | Absent = None
    deny_out: list[str] | Absent = None
    dns_servers: list[str] | Absent = None
    egress_proxy: EgressProxy | None = None
    rules: dict[str, list[NetworkRule]] | Absent = None


class SandboxNetworkConfig(NetworkEgress):
    """A sandbox's network object."""

    allow_public_traffic: bool = True
    mask_request_host: str | Absent = None
    https_ports: list[int] | Absent = None


class SandboxNetworkUpdateConfig(NetworkEgress):
    """The part of it that can be replaced later."""

    allow_internet_access: bool | Absent = Field(None, alias="allow_internet_access")


class AutoResume(Shape):
    """Whether traffic wakes a paused sandbox."""

    enabled: bool = False


class IamToken(Shape):
    """A token that transforms may name."""

    audience: str
    token_type: str


class Iam(Shape):
    """A sandbox's workload identity."""

    tokens: dict[str, IamToken] | Absent = None


class VolumeMount(Shape):
    """A volume by name, and where it is mounted."""

    name: str
    path: str


class _NewSandbox(Shape):
    template_id: str
    auto_pause: bool = False
    auto_pause_memory: bool = True
    auto_resume: AutoResume | Absent = None
    allow_internet_access: bool | Absent = Field(None, alias="allow_internet_access")
    network: SandboxNetworkConfig | Absent = None
    metadata: Metadata | Absent = None
    env_vars: EnvVars | Absent = None
    mcp: dict[str, Any] | None = None
    iam: Iam | Absent = None
    volume_mounts: list[VolumeMount] | Absent = None


class NewSandbox(_NewSandbox):
    """Create, first generation."""

    timeout: Seconds = 15
    secure: bool | Absent = None


class NewSandboxV2(_NewSandbox):
    """Create, second generation: always secure."""

    timeout: Seconds = 300


class ConnectSandbox(Shape):
    """Connect, first generation."""

    timeout: Seconds
    memory: bool | Absent = None


class ConnectSandboxV2(Shape):
    """Connect, second generation."""

    timeout: Seconds = 300
    memory: bool | Absent = None


class ResumedSandbox(Shape):
    """Resume."""

    timeout: Seconds = 15
    auto_pause: bool | Absent = None
    memory: bool | Absent = None


class SandboxPauseRequest(Shape):
    """Pause."""

    memory: bool = True
    require_healthy_guest: bool = False


class SandboxForkRequest(Shape):
    """Fork."""

    timeout: Seconds = 15
    count: Annotated[int, Field(ge=1, le=100, json_schema_extra={"format": "int32"})] = 1


class SandboxSnapshotRequest(Shape):
    """Snapshot."""

    name: Annotated[str, Field(max_length=128)] | Absent = None
    memory: bool = True


class SandboxTimeoutRequest(Shape):
    """Set timeout."""

    timeout: Seconds


class SandboxRefreshRequest(Shape):
    """Refresh."""

    duration: Annotated[int, Field(ge=0, le=3600)] | Absent = None


# -- queries ---------------------------------------------------------------------------------------

Limit = Annotated[int, Field(ge=1, le=100, json_schema_extra={"format": "int32"})]
Milliseconds = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]
UnixSeconds = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]
SandboxState = Literal["running", "paused"]
LogLevelName = Literal["debug", "info", "warn", "error"]


class RunningQuery(Shape):
    """`GET /sandboxes`."""

    metadata: str | Absent = None


class ListQuery(Shape):
    """`GET /v2/sandboxes`."""

    metadata: str | Absent = None
    state: Annotated[list[SandboxState], Field(min_length=1)] | Absent = None
    next_token: str | Absent = None
    limit: Limit = 100
    order: Literal["asc", "desc"] = "desc"
    started_after: Instant | Absent = None
    template: str | Absent = None


class SnapshotsQuery(Shape):
    """`GET /snapshots`."""

    sandbox_id: str | Absent = None
    name: str | Absent = None
    limit: Limit = 100
    next_token: str | Absent = None


class MetricsQuery(Shape):
    """`GET /sandboxes/{sandboxID}/metrics`."""

    start: UnixSeconds | Absent = None
    end: UnixSeconds | Absent = None


class ManyMetricsQuery(Shape):
    """`GET /sandboxes/metrics`."""

    sandbox_ids: Annotated[
        list[str], Field(max_length=100, json_schema_extra={"uniqueItems": True})
    ] = Field(alias="sandbox_ids")


class LogsQuery(Shape):
    """`GET /sandboxes/{sandboxID}/logs`."""

    start: Milliseconds | Absent = None
    limit: Annotated[int, Field(ge=0, json_schema_extra={"format": "int32"})] = 1000


class LogsV2Query(Shape):
    """`GET /v2/sandboxes/{sandboxID}/logs`."""

    cursor: Milliseconds | Absent = None
    limit: Annotated[int, Field(ge=0, le=1000, json_schema_extra={"format": "int32"})] = 1000
    direction: Literal["forward", "backward"] = "backward"
    level: LogLevelName | Absent = None
    search: Annotated[str, Field(max_length=256)] | Absent = None


# -- what answers contain --------------------------------------------------------------------------


class Error(Shape):
    """Every refusal."""

    code: Int32
    message: str
    error_code: str | Absent = Field(None, alias="error_code")


class Sandbox(Shape):
    """What create, connect and resume give."""

    template_id: str
    sandbox_id: str
    alias: str
    client_id: str
    envd_version: str
    envd_access_token: str | Absent = None
    traffic_access_token: str | Absent = None


class SandboxForkError(Shape):
    """Why one fork did not start."""

    code: Int32
    message: str


class SandboxForkResult(Shape):
    """One of the forks that were asked for: exactly one of the two."""

    sandbox: Sandbox | Absent = None
    error: SandboxForkError | Absent = None


class SnapshotInfo(Shape):
    """A snapshot; its names carry no tag, its ID does."""

    snapshot_id: str
    names: list[str]


class ListedSandbox(Shape):
    """One item of a list."""

    template_id: str
    alias: str | Absent = None
    sandbox_id: str
    client_id: str
    started_at: Instant
    end_at: Instant
    cpu_count: Annotated[int, Field(ge=1, json_schema_extra={"format": "int32"})]
    memory_mb: Annotated[int, Field(ge=128, json_schema_extra={"format": "int32"})]
    disk_size_mb: Annotated[int, Field(ge=0, json_schema_extra={"format": "int32"})]
    metadata: Metadata | Absent = None
    state: SandboxState
    envd_version: str
    volume_mounts: list[VolumeMount] | Absent = None
    envd_unresponsive_at_pause: bool | Absent = None


class SandboxLifecycle(Shape):
    """What the end of its time does to a sandbox, and whether traffic wakes it."""

    auto_resume: bool
    on_timeout: Literal["kill", "pause"]


class SandboxDetail(ListedSandbox):
    """One sandbox."""

    envd_access_token: str | Absent = None
    allow_internet_access: bool | Absent = None
    network: dict[str, Any] | Absent = None
    lifecycle: SandboxLifecycle
    pause_mode: Literal["full", "filesystem"] | Absent = None


class SandboxMetric(Shape):
    """What a sandbox used at one moment; sizes in bytes."""

    timestamp: Instant
    timestamp_unix: int
    cpu_count: Int32
    cpu_used_pct: float
    mem_used: int
    mem_total: int
    mem_cache: int
    disk_used: int
    disk_total: int


class SandboxesWithMetrics(Shape):
    """The newest point of each sandbox that has one."""

    sandboxes: dict[str, SandboxMetric]


class SandboxLog(Shape):
    """One line as raw JSON text."""

    timestamp: Instant
    line: str


class SandboxLogEntry(Shape):
    """One line, taken apart."""

    timestamp: Instant
    level: LogLevelName
    message: str
    fields: dict[str, str]


class SandboxLogs(Shape):
    """Logs, first generation."""

    logs: list[SandboxLog]
    log_entries: list[SandboxLogEntry]


class SandboxLogsV2Response(Shape):
    """Logs, second generation."""

    logs: list[SandboxLogEntry]
