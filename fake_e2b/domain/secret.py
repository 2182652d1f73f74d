"""Secrets: a team's values by name, which no answer ever shows.

Fact: secrets.names
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fake_e2b.domain.ids import SecretID, TeamID

ID_PREFIX = "sec_"
MAX_ENTRIES = 32
MAX_KEY_BYTES = 128
MAX_VALUE_BYTES = 1024
MAX_METADATA_BYTES = 8192
_NAME = re.compile(r"(?!sec_)[a-z0-9_-]{1,128}")
_GIVEN_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_ID = re.compile(r"sec_[0-7][0-9a-hjkmnp-tv-z]{25}")


@dataclass(slots=True)
class Secret:
    """One secret with all its versions.

    Attributes:
        name: Canonical, see `canonical_name`.
        versions: Values, the current one last; never shown.
        created_at_ns, updated_at_ns: Instants, see `domain.clock`.
    """

    secret_id: SecretID
    team_id: TeamID
    name: str
    versions: list[str] = field(repr=False)
    metadata: dict[str, str]
    created_at_ns: int
    updated_at_ns: int

    @property
    def version(self) -> int:
        """The current one's number, from 1."""
        return len(self.versions)


def canonical_name(text: str) -> str | None:
    """The name that a new secret gets; None for one that no secret may have."""
    return usable_name(text.lower()) if _GIVEN_NAME.fullmatch(text) else None


def usable_name(text: str) -> str | None:
    """A name in lower case, if a secret may have it."""
    return text if _NAME.fullmatch(text) else None


def selector(text: str) -> str | None:
    """The ID or the name that a path asks for, in canonical form; None for what is neither.

    >>> selector(" API-Key ")
    'api-key'
    """
    text = text.strip().lower()
    if text.startswith(ID_PREFIX):
        return text if _ID.fullmatch(text) else None
    return usable_name(text)


def is_fitting_metadata(metadata: Mapping[str, str]) -> bool:
    """Whether it keeps all limits. Fact: secrets.metadata"""
    sizes = [(len(key.encode()), len(value.encode())) for key, value in metadata.items()]
    return (
        len(sizes) <= MAX_ENTRIES
        and all(key <= MAX_KEY_BYTES and value <= MAX_VALUE_BYTES for key, value in sizes)
        and sum(key + value for key, value in sizes) <= MAX_METADATA_BYTES
    )
