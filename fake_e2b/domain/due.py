"""What the passing of time does by itself: what will happen, and what has.

Fact: fake.clock.advance
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from fake_e2b.domain.clock import to_datetime
from fake_e2b.domain.ids import SandboxID

Action = Literal["kill", "pause", "deliver"]
Outcome = Literal["killed", "paused", "delivered", "failed"]


@dataclass(frozen=True, slots=True)
class Deadline:
    """What happens next unless something comes between.

    Attributes:
        at_ns: When; see `fake_e2b.domain.clock`.
        action: ``"kill"``, ``"pause"``, or ``"deliver"``: an event goes to a webhook once more.
        sandbox_id: To which sandbox; for ``"deliver"``, of which the event tells.
        webhook_id: For ``"deliver"``, to which webhook.
    """

    at_ns: int
    action: Action
    sandbox_id: SandboxID
    webhook_id: str | None = None

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
            paused and could not be is killed. Of an event that went to a webhook once more:
            ``"delivered"`` or ``"failed"``.
        sandbox_id: Which sandbox, or of which the event tells.
        webhook_id: To which webhook the event went.
    """

    at_ns: int
    outcome: Outcome
    sandbox_id: SandboxID
    webhook_id: str | None = None

    @property
    def at(self) -> datetime:
        """When, in UTC."""
        return to_datetime(self.at_ns)
