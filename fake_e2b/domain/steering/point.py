"""The points in a request's life at which a rule can act."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from fake_e2b.domain.errors import UsageError

_FORM = 'at is "arrived", "done" or "frame=3"'


class Moment(StrEnum):
    """Which part of a request's life."""

    ARRIVED = "arrived"
    """It was received and understood; nothing is done for it yet."""
    DONE = "done"
    """What it asks for is done, and the client was told nothing yet."""
    FRAME = "frame"
    """A frame of a streamed answer is about to be sent."""


@dataclass(frozen=True, slots=True)
class Point:
    """A moment; for `Moment.FRAME` also before which frame, counted from 1.

    A frame is a message of an envd stream, a line of an execution's output, or a piece of the body
    of any other answer. The event that tells a process's start is its stream's first frame.
    """

    moment: Moment
    frame: int = 0

    def __str__(self) -> str:
        return f"frame={self.frame}" if self.moment is Moment.FRAME else self.moment.value


ARRIVED = Point(Moment.ARRIVED)
DONE = Point(Moment.DONE)


def point(text: str | Point) -> Point:
    """Read ``"arrived"``, ``"done"`` or ``"frame=3"``.

    Raises:
        UsageError: It is none of them, or frames are not counted from 1.
    """
    if isinstance(text, Point):
        return text
    if text in (Moment.ARRIVED, Moment.DONE):
        return Point(Moment(text))
    found = re.fullmatch(r"frame=(-?[0-9]{1,9})", text)
    if found is None:
        raise UsageError(f"there is no point {text!r}; {_FORM}")
    if int(found[1]) < 1:
        raise UsageError(f"frames are counted from 1, so there is no {text!r}; {_FORM}")
    return Point(Moment.FRAME, int(found[1]))
