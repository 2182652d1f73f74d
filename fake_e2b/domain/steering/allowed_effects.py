"""Effects that the contract allows: whoever is hurt by one relied on something nobody promised.

All of them change how an answer is said, none what it says; ``profile("strict")`` is all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fake_e2b.domain.steering.effect import Effect, need_any
from fake_e2b.domain.steering.match import RequestMatch
from fake_e2b.domain.steering.point import Moment, Point
from fake_e2b.domain.steering.streams import KEPT_ALIVE


@dataclass(frozen=True)
class Chunks(Effect):
    """Bodies come in pieces with random ends, in the middle of a frame or of a character."""

    kind: ClassVar[str] = "chunks"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.DONE,)


@dataclass(frozen=True)
class SplitCharacters(Effect):
    """Output is split between frames in the middle of its UTF-8 characters."""

    kind: ClassVar[str] = "split-characters"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.DONE,)

    def check(self, match: RequestMatch, at: Point) -> None:
        """Only processes say bytes; the interpreter says text.

        Raises:
            UsageError: The match is about neither Process.Start nor Process.Connect.
        """
        super().check(match, at)
        need_any(self.kind, match, frozenset({"Process.Start", "Process.Connect"}))


@dataclass(frozen=True)
class Keepalives(Effect):
    """After every frame of a stream but the last comes a keepalive."""

    kind: ClassVar[str] = "keepalives"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.DONE,)

    def check(self, match: RequestMatch, at: Point) -> None:
        """Only some streams have them.

        Raises:
            UsageError: None of the match's.
        """
        super().check(match, at)
        need_any(self.kind, match, KEPT_ALIVE)


@dataclass(frozen=True)
class UnknownFields(Effect):
    """JSON objects and protobuf messages have a field more, as after an update of the service."""

    kind: ClassVar[str] = "unknown-fields"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.DONE,)


@dataclass(frozen=True)
class Shuffle(Effect):
    """What has no order comes in any: the members of JSON objects, and the lists without one."""

    kind: ClassVar[str] = "shuffle"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.DONE,)


ALLOWED_EFFECTS: tuple[type[Effect], ...] = (
    Chunks,
    SplitCharacters,
    Keepalives,
    UnknownFields,
    Shuffle,
)
