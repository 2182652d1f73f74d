"""What can be chosen when a fake is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RuntimeName = Literal["auto", "local", "isolated"]
ClockName = Literal["real", "manual"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Choices for one fake.

    Attributes:
        runtime: ``"auto"`` takes the best that the machine can do.
        clock: ``"manual"`` stands still until it is moved.
        seed: Replays IDs and tokens; None takes a fresh one.
        api_keys: Further keys of the first team.
        teams: Further teams: slug and keys.
        max_sandboxes: How many sandboxes each team may have running at once.
        max_length_hours: How long one run of a sandbox may last.
        any_host: Routing headers count on any host, see `fake_e2b.server.dispatch.route`.
    """

    runtime: RuntimeName = "auto"
    clock: ClockName = "real"
    seed: int | None = None
    api_keys: tuple[str, ...] = ()
    teams: tuple[tuple[str, tuple[str, ...]], ...] = ()
    max_sandboxes: int = 1_100
    max_length_hours: int = 24
    any_host: bool = False
