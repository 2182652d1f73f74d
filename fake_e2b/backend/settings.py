"""What can be set about the control plane of one fake."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """The defaults hold for a generous plan of the service.

    Attributes:
        max_length_hours: How long one run of a sandbox may last; for teams made from now on.
        concurrent_sandboxes: How many a team may have live at once; the same.
        idempotency_window_s: How long the answer to an idempotency key is remembered.
    """

    max_length_hours: int = 24
    concurrent_sandboxes: int = 1_100
    idempotency_window_s: int = 86_400
