"""What can be set about the control plane of one fake."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """The defaults hold for a generous plan of the service.

    Attributes:
        max_length_hours: How long one run of a sandbox may last; for teams made from now on.
        concurrent_sandboxes: How many a team may have live at once; the same.
        concurrent_builds: How many template builds a team may have open at once.
        webhooks: How many webhooks a team may have.
        access_tokens: Whether personal access tokens are taken and made.
        idempotency_window_s: How long the answer to an idempotency key is remembered.
        volume_token_s: How long a volume's token lets into its content.
    """

    max_length_hours: int = 24
    concurrent_sandboxes: int = 1_100
    concurrent_builds: int = 1_000
    webhooks: int = 1_000
    access_tokens: bool = True
    idempotency_window_s: int = 86_400
    volume_token_s: int = 3_600
