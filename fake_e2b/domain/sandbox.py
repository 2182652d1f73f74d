"""A sandbox's record, and the table of its states."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from fake_e2b.domain.ids import SandboxID, TeamID, TemplateID
from fake_e2b.domain.limits import NO_LIMITS, Limits
from fake_e2b.domain.setup import PLAIN, Setup
from fake_e2b.domain.volume import Mount


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

SHOWN_AS: Mapping[State, State | None] = {
    State.RUNNING: State.RUNNING,
    State.PAUSING: State.PAUSED,
    State.SNAPSHOTTING: State.RUNNING,
    State.KILLING: None,
    State.PAUSED: State.PAUSED,
}
"""What one sandbox's detail calls each state; None: it does not exist any more."""

LISTED_AS: Mapping[State, State | None] = {**SHOWN_AS, State.SNAPSHOTTING: None}
"""The same for lists, from which a sandbox is missing while it is being snapshotted."""


class OnTimeout(Enum):
    """What the end of its time does to a sandbox."""

    KILL = "kill"
    PAUSE = "pause"


@dataclass(slots=True)
class Sandbox:
    """One sandbox as the control plane knows it. Instants are `_ns`, see `domain.clock`.

    Attributes:
        build_id: Of the template's build that it was made from.
        is_fork: Whether it was made from a running one.
        started_at_ns: Start of the current or last run; a resume sets it anew.
        end_at_ns: When the time is up; for a paused one, when its snapshot was taken.
        created_timeout_s: The timeout given at creation; auto-resume uses it.
        metadata: None if the request had none.
        env_vars: From the create body; lost on a cold boot.
        auto_pause_memory: Whether the pause at its end keeps memory.
        auto_resume: Whether traffic wakes it.
        allow_internet_access: None unless set explicitly.
        network: The network object in the API's own form, defaults filled in, empty lists and
            rules left out; None if none was ever given.
        iam_tokens: Name to `{"audience": …, "tokenType": …}`.
        volume_mounts: `{"name": …, "path": …}` each.
        mounts: The same volumes as they were when it was created, whatever bears their names now.
        limits: What it may really use.
        setup: What its template sets up.
        paused_memory: For a paused one: memory was kept (else files only).
        unresponsive_at_pause: For a paused one: its daemon did not answer any more, so that its
            memory is of no use.
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
    network: dict[str, Any] | None = None
    iam_tokens: dict[str, dict[str, str]] = field(default_factory=dict)
    volume_mounts: list[dict[str, str]] = field(default_factory=list)
    mounts: tuple[Mount, ...] = ()
    limits: Limits = NO_LIMITS
    setup: Setup = PLAIN
    state: State = State.RUNNING
    paused_memory: bool = True
    unresponsive_at_pause: bool = False
    build_id: str = ""
    is_fork: bool = False

    @property
    def secure(self) -> bool:
        """Whether envd asks for a token."""
        return self.envd_access_token is not None

    def move(self, state: State) -> None:
        """Enter `state`.

        Raises:
            ValueError: `MOVES` does not allow it: a mistake in the calling code.
        """
        if state not in MOVES[self.state]:
            raise ValueError(f"{self.sandbox_id} cannot move from {self.state} to {state}")
        self.state = state


_SANDBOX_ID = re.compile(r"([a-z0-9]+)(?:-[^-]*)?")


def short_id(text: str) -> SandboxID | None:
    """The sandbox ID in `<id>` or `<id>-<client>`; None if `text` is neither.

    Fact: control.ids.composite
    """
    match = _SANDBOX_ID.fullmatch(text)
    return None if match is None else SandboxID(match[1])
