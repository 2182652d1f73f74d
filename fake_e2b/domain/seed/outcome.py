"""What has become of a fake that was filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fake_e2b.domain.errors import UsageError


@dataclass(frozen=True, slots=True)
class SeedItem:
    """One thing that a seed names.

    Attributes:
        kind: Such as ``"volume"`` or ``"API key"``.
        team: The slug; None for what belongs to no team.
        id: The API's ID, where it has one.
    """

    kind: str
    name: str
    team: str | None = None
    id: str | None = None

    def __str__(self) -> str:
        of = f" of team {self.team}" if self.team is not None else ""
        return f"{self.kind} {self.name}{of}" + (f" ({self.id})" if self.id else "")


@dataclass(frozen=True, slots=True)
class Filled:
    """What filling a fake has done.

    Attributes:
        made: What was not there.
        unchanged: What was there already, under its name, and is as it was.
    """

    made: Sequence[SeedItem]
    unchanged: Sequence[SeedItem]


class SeedConflictError(UsageError):
    """What a seed names is there and is something else; nothing was changed.

    Attributes:
        conflicts: One sentence each.
    """

    def __init__(self, conflicts: Sequence[str]) -> None:
        super().__init__("; ".join(conflicts))
        self.conflicts = conflicts


class SeedFailedError(UsageError):
    """Something of a seed could not be made; what had been made was taken back.

    Attributes:
        section, index: The table, as in `SeedError`; `section` is None for no table.
    """

    def __init__(self, message: str, section: str | None = None, index: int = 0) -> None:
        super().__init__(message)
        self.section = section
        self.index = index
