"""Events as REST shapes.

Fact: events.form
"""

from __future__ import annotations

from typing import Any

from fake_e2b.domain.event import LABELS, EventData, Execution, SandboxEvent
from fake_e2b.wire import rest_events
from fake_e2b.wire.rest_render import Object, Writer
from fake_e2b.wire.timestamps import format_instant

VERSION = "v2"
CATEGORY = "lifecycle"
_EVENT = Writer(rest_events.SandboxEvent)


def event(record: SandboxEvent) -> Object:
    """One event of a list."""
    shown = _EVENT(
        id=record.event_id,
        version=VERSION,
        type=record.type.value,
        event_category=CATEGORY,
        event_label=LABELS.get(record.type),
        timestamp=format_instant(record.at_ns),
        sandbox_id=record.sandbox_id,
        sandbox_execution_id=record.execution_id,
        sandbox_template_id=record.template_id,
        sandbox_build_id=record.build_id,
        sandbox_team_id=record.team_id,
    )
    return {**shown, "eventData": event_data(record.data) or None}


def event_data(data: EventData) -> Object:
    """What there is to say, in the one spelling that both forms of an event have."""
    said: dict[str, Any] = {
        "sandbox_metadata": data.metadata,
        "execution": None if data.execution is None else _execution(data.execution),
        "kill_reason": None if data.kill_reason is None else data.kill_reason.value,
        "set_timeout": None if data.end_at_ns is None else format_instant(data.end_at_ns),
    }
    if data.egress is not None:
        said["network_egress"] = {
            "allowed_cidrs": list(data.egress.allowed_cidrs),
            "denied_cidrs": list(data.egress.denied_cidrs),
            "allowed_domains": list(data.egress.allowed_domains),
        }
    return {name: value for name, value in said.items() if value is not None}


def _execution(run: Execution) -> Object:
    return {
        "started_at": format_instant(run.started_at_ns),
        "vcpu_count": run.vcpu_count,
        "memory_mb": run.memory_mb,
        "execution_time": run.execution_time_ms,
    }
