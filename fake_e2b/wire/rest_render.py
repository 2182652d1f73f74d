"""Domain values as the control plane's REST shapes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from fake_e2b.domain.clock import SECOND_NS
from fake_e2b.domain.ids import CLIENT_ID
from fake_e2b.domain.network import shown
from fake_e2b.domain.sandbox import SHOWN_AS, State
from fake_e2b.domain.sandbox import Sandbox as SandboxRecord
from fake_e2b.wire import rest, service_json
from fake_e2b.wire.timestamps import format_instant


def render(shape: rest.Shape) -> bytes:
    """A shape as JSON; absent properties are left out."""
    return service_json.escape(shape.model_dump_json(by_alias=True, exclude_none=True).encode())


def render_many(shapes: Iterable[rest.Shape]) -> bytes:
    """A JSON array of shapes."""
    return b"[" + b",".join(render(shape) for shape in shapes) + b"]"


def sandbox(record: SandboxRecord) -> rest.Sandbox:
    """What create, connect and resume give."""
    return rest.Sandbox.model_construct(
        template_id=record.template_id,
        sandbox_id=record.sandbox_id,
        alias=record.alias,
        client_id=CLIENT_ID,
        envd_version=record.envd_version,
        envd_access_token=record.envd_access_token,
        traffic_access_token=record.traffic_access_token,
    )


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
        "volume_mounts": [
            rest.VolumeMount.model_construct(name=mount["name"], path=mount["path"])
            for mount in record.volume_mounts
        ],
    }


def listed_sandbox(record: SandboxRecord) -> rest.ListedSandbox:
    """One item of a list."""
    fields = _listed(record)
    if record.state is State.PAUSED and not record.alias:
        fields["alias"] = None
    return rest.ListedSandbox.model_construct(**fields)


def sandbox_detail(record: SandboxRecord) -> rest.SandboxDetail:
    """One sandbox."""
    fields = _listed(record)
    pause_mode: Literal["full", "filesystem"] | None = None
    if record.state is State.PAUSED:
        fields["volume_mounts"] = None
        pause_mode = "full" if record.paused_memory else "filesystem"
    return rest.SandboxDetail.model_construct(
        **fields,
        envd_access_token=record.envd_access_token,
        allow_internet_access=record.allow_internet_access,
        network=None if record.network is None else shown(record.network),
        lifecycle=rest.SandboxLifecycle.model_construct(
            auto_resume=record.auto_resume, on_timeout=record.on_timeout.value
        ),
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
) -> rest.SandboxMetric:
    """One point of a sandbox's metrics."""
    return rest.SandboxMetric.model_construct(
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


def log_entry(
    at_ns: int, level: rest.LogLevelName, message: str, fields: Mapping[str, str]
) -> rest.SandboxLogEntry:
    """One line of a sandbox's logs."""
    return rest.SandboxLogEntry.model_construct(
        timestamp=format_instant(at_ns), level=level, message=message, fields=dict(fields)
    )


def log_line(entry: rest.SandboxLogEntry) -> rest.SandboxLog:
    """The same line as raw JSON text."""
    line = {"timestamp": entry.timestamp, "level": entry.level, "message": entry.message}
    return rest.SandboxLog.model_construct(
        timestamp=entry.timestamp,
        line=json.dumps({**line, **entry.fields}, separators=(",", ":"), ensure_ascii=False),
    )
