"""Teams and their API keys."""

from __future__ import annotations

from dataclasses import dataclass

from fake_e2b.domain.ids import TeamID


@dataclass(slots=True)
class Team:
    """Who owns sandboxes; an API key stands for exactly one team.

    Attributes:
        slug: The team's namespace in template names.
        max_length_hours: How long one run of a sandbox may last.
        concurrent_sandboxes: How many may be live at once; paused ones are free.
        banned: Refused everywhere.
        blocked: Refused everywhere but on the routes that read and delete.
        blocked_reason: Shown with the refusal when not empty.
    """

    team_id: TeamID
    slug: str
    max_length_hours: int = 24
    concurrent_sandboxes: int = 1_100
    banned: bool = False
    blocked: bool = False
    blocked_reason: str = ""


API_KEY_PREFIX = "e2b_"
API_KEY_DIGITS = 40
"""Length of the hexadecimal part of a key that the service issues."""
