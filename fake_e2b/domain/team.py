"""Teams, their API keys, and the users who act for them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fake_e2b.domain.ids import TeamID
from fake_e2b.domain.plan import Plan


@dataclass(slots=True)
class Team:
    """Who owns sandboxes; an API key stands for exactly one team.

    Attributes:
        slug: The team's namespace in template names.
        max_length_hours: How long one run of a sandbox may last.
        concurrent_sandboxes: How many may be live at once; paused ones are free.
        plan: What rates hold for it; None: any.
        banned: Refused everywhere.
        blocked: Refused everywhere but on the routes that read and delete.
        blocked_reason: Shown with the refusal when not empty.
    """

    team_id: TeamID
    slug: str
    max_length_hours: int = 24
    concurrent_sandboxes: int = 1_100
    plan: Plan | None = None
    banned: bool = False
    blocked: bool = False
    blocked_reason: str = ""


API_KEY_PREFIX = "e2b_"
ACCESS_TOKEN_PREFIX = "sk_e2b_"
API_KEY_DIGITS = 40
"""Length of the hexadecimal part of a key, or of an access token, that the service issues."""
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*")


def is_api_key(text: str) -> bool:
    """Whether a text has the form of an API key, of whatever length."""
    return _has_form(text, API_KEY_PREFIX)


def is_access_token(text: str) -> bool:
    """Whether a text has the form of a personal access token, of whatever length."""
    return _has_form(text, ACCESS_TOKEN_PREFIX)


def _has_form(text: str, prefix: str) -> bool:
    return text.startswith(prefix) and _HEX.fullmatch(text, len(prefix)) is not None


@dataclass(slots=True)
class ApiKey:
    """A key that stands for a team.

    Attributes:
        key_id: A UUID.
        created_by: The ID of the user who made it; None for those the fake was started with.
        last_used_ns: None until then.
    """

    key_id: str
    key: str
    team: Team
    name: str
    created_at_ns: int
    created_by: str | None = None
    last_used_ns: int | None = None


@dataclass(slots=True)
class AccessToken:
    """A personal access token; `token_id` is a UUID."""

    token_id: str
    token: str
    name: str
    created_at_ns: int


@dataclass(frozen=True, slots=True)
class User:
    """Who acts for teams; `user_id` is a UUID."""

    user_id: str


@dataclass(frozen=True, slots=True)
class Mask:
    """What is shown of a key or token once it has been made.

    >>> Mask.of("e2b_0123456789", API_KEY_PREFIX)
    Mask(prefix='e2b_', length=10, head='01', tail='6789')
    """

    prefix: str
    length: int
    head: str
    tail: str

    @classmethod
    def of(cls, token: str, prefix: str) -> Mask:
        """The mask of a token that begins with `prefix`."""
        value = token[len(prefix) :]
        return cls(prefix, len(value), value[:2], value[-4:])
