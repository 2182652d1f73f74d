"""What the player asks of a driver, and what it gets back."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from fake_e2b.domain.errors import FakeE2BError
from fake_e2b.scenario.story import SdkName, Table


class DriverError(FakeE2BError):
    """The driver itself failed: its program ended, or a step stands where it cannot be played."""


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception as a story sees it.

    Attributes:
        classes: Names of its class and of that one's bases, nearest first.
        text: What it says.
    """

    classes: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{self.classes[0]}: {self.text}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step showed, or the exception that the SDK raised."""

    shown: Table | None = None
    raised: Raised | None = None


class Driver(Protocol):
    """Plays client steps through one SDK; several at once, as they are begun."""

    @property
    def sdk(self) -> SdkName:
        """Which one."""
        ...

    def begin(self, do: str, arguments: Table) -> Future[Outcome]:
        """Begin a step.

        The future raises `DriverError` where the step stands in a wrong place, or where what was
        waited for never came.
        """
        ...

    def close(self) -> None:
        """End whatever the driver started; sandboxes stay."""
        ...
