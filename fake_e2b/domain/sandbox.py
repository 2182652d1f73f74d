"""A sandbox's record, and the table of its states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from fake_e2b.domain.ids import SandboxID, TeamID, TemplateID


class State(Enum):
    """Internal states; the API shows only `running` and `paused` (fact: control.states)."""

    RUNNING = "running"
    PAUSING = "pausing"
    SNAPSHOTTING = "snapshotting"
    KILLING = "killing"
    PAUSED = "paused"


MOVES: Mapping[State, frozenset[State]] = {
    State.RUNNING: frozenset({State.PAUSING, State.KILLING, State.SNAPSHOTTING}),
    State.PAUSING: frozenset({State.PAUSED, State.KILLING}),
    State.SNAPSHOTTING: frozenset({State.RUNNING, State.KILLING, State.PAUSING}),
    State.PAUSED: frozenset({State.RUNNING, State.KILLING}),
    State.KILLING: frozenset(),
}
"""The allowed moves; a sandbox that is gone has no record."""


class OnTimeout(Enum):
    """What the end of its time does to a sandbox."""

    KILL = "kill"
    PAUSE = "pause"


@dataclass(slots=True)
class Sandbox:
    """One sandbox as the control plane knows it. Instants are `_ns`, see `domain.clock`.

    Attributes:
        started_at_ns: Start of the current or last run; a resume sets it anew.
        end_at_ns: When the time is up; for a paused one, when its snapshot was taken.
        created_timeout_s: The timeout given at creation; auto-resume uses it.
        secure: Whether an envd token was issued.
        paused_memory: For a paused one: memory was kept (else files only).
        network: The network object as given, defaults filled in; None if none was given.
        env_vars: From the create body; lost on a cold boot.
    """

    sandbox_id: SandboxID
    template_id: TemplateID
    team_id: TeamID
    alias: str
    started_at_ns: int
    end_at_ns: int
    created_timeout_s: int
    cpu_count: int
    memory_mb: int
    disk_size_mb: int
    envd_version: str
    envd_access_token: str | None
    traffic_access_token: str | None
    metadata: dict[str, str] | None
    env_vars: dict[str, str]
    on_timeout: OnTimeout = OnTimeout.KILL
    auto_pause_memory: bool = True
    auto_resume: bool = False
    allow_internet_access: bool | None = None
    network: dict[str, object] | None = None
    iam_tokens: dict[str, dict[str, str]] = field(default_factory=dict)
    volume_mounts: list[dict[str, str]] = field(default_factory=list)
    state: State = State.RUNNING
    paused_memory: bool = True

    @property
    def secure(self) -> bool:
        """Whether envd asks for a token."""
        return self.envd_access_token is not None
