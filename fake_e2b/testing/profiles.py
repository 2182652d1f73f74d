"""A profile in force: a named set of rules that is taken back as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fake_e2b.testing.faults import FakeFaults, Fault


class Profile:
    """What `FakeFaults.profile` returns; a context manager that takes the profile back.

    Attributes:
        name: As in `fake_e2b.profiles.names`.
        seed: With it the same choices are made again.
        faults: Its rules, with their counts.
    """

    def __init__(self, owner: FakeFaults, name: str, seed: int, faults: Sequence[Fault]) -> None:
        self._owner = owner
        self.name = name
        self.seed = seed
        self.faults = faults

    def remove(self) -> None:
        """Take back what is left of it; twice is fine."""
        self._owner.remove_profile(self.name)

    def __enter__(self) -> Profile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<Profile {self.name!r}, seed {self.seed}>"
