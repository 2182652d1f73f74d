"""Domain values as the control plane's REST shapes.

Objects are built as plain dictionaries, for lists are long and models are slow to make; their
names come from the models of `rest`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from fake_e2b.domain.clock import SECOND_NS
from fake_e2b.domain.ids import CLIENT_ID
from fake_e2b.domain.network import shown
from fake_e2b.domain.sandbox import SHOWN_AS, State
from fake_e2b.domain.sandbox import Sandbox as SandboxRecord
from fake_e2b.wire import rest, service_json
from fake_e2b.wire.timestamps import format_instant

Object = dict[str, Any]


class Writer:
    """Makes the objects of one shape; what is None is absent."""

    def __init__(self, shape: type[rest.Shape]) -> None:
        # Some releases of pydantic don't know the names before a model is built.
        self._names = {
            name: field.alias or rest.wire_name(name) for name, field in shape.model_fields.items()
        }

    def __call__(self, **fields: object) -> Object:
        names = self._names
        return {names[name]: value for name, value in fields.items() if value is not None}


_SANDBOX = Writer(rest.Sandbox)
_LISTED = Writer(rest.ListedSandbox)
_DETAIL = Writer(rest.SandboxDetail)
_LIFECYCLE = Writer(rest.SandboxLifecycle)
_SNAPSHOT = Writer(rest.SnapshotInfo)
_METRIC = Writer(rest.SandboxMetric)
_METRICS = Writer(rest.SandboxesWithMetrics)
_LOG = Writer(rest.SandboxLog)
_LOGS = Writer(rest.SandboxLogs)
_LOGS_V2 = Writer(rest.SandboxLogsV2Response)
_LOG_ENTRY = Writer(rest.SandboxLogEntry)


def sandbox(record: SandboxRecord) -> Object:
    """What create, connect and resume give."""
    return _SANDBOX(
        template_id=record.template_id,
        sandbox_id=record.sandbox_id,
        alias=record.alias,
        client_id=CLIENT_ID,
        envd_version=record.envd_version,
        envd_access_token=record.envd_access_token,
        traffic_access_token=record.traffic_access_token,
    )


def snapshot(snapshot_id: str, names: Sequence[str]) -> Object:
    """One snapshot."""
    return _SNAPSHOT(snapshot_id=snapshot_id, names=names)


def _listed(record: SandboxRecord) -> dict[str, Any]:
    # The service keeps paused ones in a store that knows microseconds, and live ones in memory.
    is_stored = record.state is State.PAUSED
    unit_ns = 1_000 if is_stored else 1
    state = SHOWN_AS[record.state] or State.RUNNING
    return {
        "template_id": record.template_id,
        "alias": record.alias,
        "sandbox_id": record.sandbox_id,
        "client_id": CLIENT_ID,
        "started_at": format_instant(record.started_at_ns - record.started_at_ns % unit_ns),
        "end_at": format_instant(record.end_at_ns - record.end_at_ns % unit_ns),
        "cpu_count": record.cpu_count,
        "memory_mb": record.memory_mb,
        "disk_size_mb": record.disk_size_mb,
        "metadata": (record.metadata or {}) if is_stored else record.metadata,
        "state": state.value,
        "envd_version": record.envd_version,
        "volume_mounts": record.volume_mounts,
        "envd_unresponsive_at_pause": record.unresponsive_at_pause or None,
    }


def listed_sandbox(record: SandboxRecord) -> Object:
    """One item of a list."""
    fields = _listed(record)
    if record.state is State.PAUSED and not record.alias:
        fields["alias"] = None
    return _LISTED(**fields)


def sandbox_detail(record: SandboxRecord) -> Object:
    """One sandbox."""
    fields = _listed(record)
    pause_mode: Literal["full", "filesystem"] | None = None
    if record.state is State.PAUSED:
        fields["volume_mounts"] = None
        pause_mode = "full" if record.paused_memory else "filesystem"
    return _DETAIL(
        **fields,
        envd_access_token=record.envd_access_token,
        allow_internet_access=record.allow_internet_access,
        network=None if record.network is None else shown(record.network),
        lifecycle=_LIFECYCLE(auto_resume=record.auto_resume, on_timeout=record.on_timeout.value),
        pause_mode=pause_mode,
    )


def metric(
    unix_s: int,
    *,
    cpu_count: int,
    cpu_used_pct: float,
    mem_used: int,
    mem_total: int,
    mem_cache: int,
    disk_used: int,
    disk_total: int,
) -> Object:
    """One point of a sandbox's metrics."""
    return _METRIC(
        timestamp=format_instant(unix_s * SECOND_NS),
        timestamp_unix=unix_s,
        cpu_count=cpu_count,
        cpu_used_pct=cpu_used_pct,
        mem_used=mem_used,
        mem_total=mem_total,
        mem_cache=mem_cache,
        disk_used=disk_used,
        disk_total=disk_total,
    )


def metrics_of_many(points: Mapping[str, Object]) -> Object:
    """The newest point of each sandbox."""
    return _METRICS(sandboxes=points)


def log_entry(
    at_ns: int, level: rest.LogLevelName, message: str, fields: Mapping[str, str]
) -> Object:
    """One line of a sandbox's logs."""
    return _LOG_ENTRY(
        timestamp=format_instant(at_ns), level=level, message=message, fields=dict(fields)
    )


def logs(entries: Sequence[Object]) -> Object:
    """Logs, first generation: each line as raw JSON text, and taken apart."""
    return _LOGS(logs=[_log_line(entry) for entry in entries], log_entries=entries)


def logs_v2(entries: Sequence[Object]) -> Object:
    """Logs, second generation."""
    return _LOGS_V2(logs=entries)


def _log_line(entry: Object) -> Object:
    raw = {key: value for key, value in entry.items() if key != "fields"} | entry["fields"]
    return _LOG(timestamp=entry["timestamp"], line=service_json.encode(raw).decode())
