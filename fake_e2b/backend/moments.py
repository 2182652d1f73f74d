"""What happens to sandboxes, as those are told who listen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fake_e2b.domain.event import KillReason
from fake_e2b.domain.sandbox import Sandbox


class Moment(Enum):
    """What happened to a sandbox; values are the words that logs use."""

    CREATED = "created"
    RESUMED = "resumed"
    PAUSED = "paused"
    KILLED = "killed"
    UPDATED = "updated"
    FAILED = "failed"
    FORKED = "forked"
    SNAPSHOTTED = "snapshotted"


class Change(Enum):
    """What an update has changed."""

    END = "end"
    EGRESS = "egress"


@dataclass(frozen=True, slots=True)
class LifecycleEvent:
    """One moment in a sandbox's life.

    Attributes:
        cause: Why a change of its state failed.
        kill_reason: Why it was killed.
        change: What was updated.
    """

    moment: Moment
    sandbox: Sandbox
    at_ns: int
    cause: Exception | None = None
    kill_reason: KillReason | None = None
    change: Change | None = None
