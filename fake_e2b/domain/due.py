"""What the passing of time does by itself: what will happen, and what has.

Fact: fake.clock.advance
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from fake_e2b.domain.clock import to_datetime
from fake_e2b.domain.ids import SandboxID

Action = Literal["kill", "pause"]
Outcome = Literal["killed", "paused"]


@dataclass(frozen=True, slots=True)
class Deadline:
    """What happens next unless something comes between.

    Attributes:
        at_ns: When; see `fake_e2b.domain.clock`.
        action: ``"kill"`` or ``"pause"``.
        sandbox_id: To which sandbox.
    """

    at_ns: int
    action: Action
    sandbox_id: SandboxID

    @property
    def at(self) -> datetime:
        """When, in UTC."""
        return to_datetime(self.at_ns)


@dataclass(frozen=True, slots=True)
class Happening:
    """What has happened because it was due.

    Attributes:
        at_ns: When, by the fake's clock.
        outcome: What became of the sandbox: ``"killed"`` or ``"paused"``. One that should have been
            paused and could not be is killed.
        sandbox_id: Which sandbox.
    """

    at_ns: int
    outcome: Outcome
    sandbox_id: SandboxID

    @property
    def at(self) -> datetime:
        """When, in UTC."""
        return to_datetime(self.at_ns)
