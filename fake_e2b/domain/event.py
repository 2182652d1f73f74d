"""What the service tells of a sandbox's life: the types of its events, and what they hold.

Facts: events.types, events.data
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fake_e2b.domain.ids import SandboxID, TeamID, TemplateID
from fake_e2b.domain.network import is_address


class EventType(StrEnum):
    """The types, as the wire writes them."""

    CREATED = "sandbox.lifecycle.created"
    KILLED = "sandbox.lifecycle.killed"
    PAUSED = "sandbox.lifecycle.paused"
    RESUMED = "sandbox.lifecycle.resumed"
    UPDATED = "sandbox.lifecycle.updated"
    CHECKPOINTED = "sandbox.lifecycle.checkpointed"


LABELS: Mapping[EventType, str] = {
    EventType.CREATED: "create",
    EventType.KILLED: "kill",
    EventType.PAUSED: "pause",
    EventType.RESUMED: "resume",
    EventType.UPDATED: "update",
}
"""The labels of an earlier generation, which `CHECKPOINTED` never had."""


class KillReason(StrEnum):
    """Why a sandbox ended, as far as it can end so here."""

    REQUEST = "request"
    TIMEOUT = "timeout"
    ADMIN = "admin"
    UNKNOWN = "unknown"
    SEAL_FAILED = "seal_failed"
    ORPHANED = "orphaned"


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of a sandbox that is over; `started_at_ns` as `domain.clock` has it."""

    started_at_ns: int
    vcpu_count: int
    memory_mb: int
    execution_time_ms: int


@dataclass(frozen=True, slots=True)
class Egress:
    """What an update lets a sandbox reach; rules are not told."""

    allowed_cidrs: tuple[str, ...]
    denied_cidrs: tuple[str, ...]
    allowed_domains: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EventData:
    """What there is to say; None is not said.

    Attributes:
        metadata: The sandbox's; None when it has none.
        end_at_ns: The new end.
    """

    metadata: Mapping[str, str] | None = None
    execution: Execution | None = None
    kill_reason: KillReason | None = None
    end_at_ns: int | None = None
    egress: Egress | None = None


@dataclass(frozen=True, slots=True)
class SandboxEvent:
    """One event; `execution_id` changes with each start and resume."""

    event_id: str
    type: EventType
    at_ns: int
    sandbox_id: SandboxID
    execution_id: str
    template_id: TemplateID
    build_id: str
    team_id: TeamID
    data: EventData


def egress_of(network: Mapping[str, Any] | None) -> Egress:
    """A network object's lists, addresses apart from names."""
    allowed = (network or {}).get("allowOut") or ()
    return Egress(
        tuple(each for each in allowed if is_address(each)),
        tuple((network or {}).get("denyOut") or ()),
        tuple(each for each in allowed if not is_address(each)),
    )
