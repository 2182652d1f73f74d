"""Effects on single frames of a stream; to cut one, `Close` or `Reset` at a frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import about
from fake_e2b.domain.steering.effect import Effect, check_seconds, need_any
from fake_e2b.domain.steering.match import RequestMatch
from fake_e2b.domain.steering.point import Moment, Point
from fake_e2b.domain.steering.streams import ENDED, ENVELOPED, KEPT_ALIVE


@dataclass(frozen=True)
class Stall(Effect):
    """Nothing more comes: for a time, or until the rule is removed or the client leaves."""

    kind: ClassVar[str] = "stall"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.FRAME, Moment.ARRIVED, Moment.DONE)

    seconds: float | None = field(default=None, metadata=about("how long; for good if left"))

    def __post_init__(self) -> None:
        check_seconds("seconds", self.seconds)


@dataclass(frozen=True)
class NoEndFrame(Effect):
    """The answer ends as HTTP would have it, without the frame that says all was said.

    At a frame, it ends before that one.
    """

    kind: ClassVar[str] = "no-end-frame"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.DONE, Moment.FRAME)

    def check(self, match: RequestMatch, at: Point) -> None:
        """Only some streams have such a frame.

        Raises:
            UsageError: None of the match's.
        """
        super().check(match, at)
        need_any(self.kind, match, ENDED)


@dataclass(frozen=True)
class DropKeepalives(Effect):
    """What says that a silent stream is still there is never sent."""

    kind: ClassVar[str] = "drop-keepalives"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.DONE,)

    def check(self, match: RequestMatch, at: Point) -> None:
        """Only some streams have them.

        Raises:
            UsageError: None of the match's.
        """
        super().check(match, at)
        need_any(self.kind, match, KEPT_ALIVE)


@dataclass(frozen=True)
class Duplicate(Effect):
    """A frame comes more than once."""

    kind: ClassVar[str] = "duplicate"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.FRAME,)

    copies: int = field(default=2, metadata=about("how often it comes in all"))

    def __post_init__(self) -> None:
        if not 2 <= self.copies <= 1000:
            raise UsageError(f"copies is from 2 to 1000, not {self.copies}")


@dataclass(frozen=True)
class Corrupt(Effect):
    """A frame is damaged: a byte of its payload, or of the envelope around it."""

    kind: ClassVar[str] = "corrupt"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.FRAME,)

    part: Literal["payload", "flag", "length"] = field(
        default="payload",
        metadata=about("the payload's middle byte, or the envelope's flag or length"),
    )

    def check(self, match: RequestMatch, at: Point) -> None:
        """Only some streams have envelopes.

        Raises:
            UsageError: None of the match's.
        """
        super().check(match, at)
        if self.part != "payload":
            need_any(f"{self.kind} of the {self.part}", match, ENVELOPED)


STREAM_EFFECTS: tuple[type[Effect], ...] = (Stall, NoEndFrame, DropKeepalives, Duplicate, Corrupt)
