"""Effects on the true answer: it comes in part, in another form, or slowly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import about
from fake_e2b.domain.steering.effect import Effect, check_seconds
from fake_e2b.domain.steering.point import Moment

_MOST_AT_ONCE = 1 << 30


def _check_share(share: float) -> None:
    if not 0 <= share < 1:
        raise UsageError(f"share is from 0 up to, not including, 1; not {share}")


@dataclass(frozen=True)
class HalfAnswer(Effect):
    """The true answer's head and a part of its body, then the connection breaks.

    At a frame, a part of that frame.
    """

    kind: ClassVar[str] = "half-answer"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.DONE, Moment.FRAME)

    share: float = field(default=0.5, metadata=about("how much of it is sent, from 0 to 1"))
    reset: bool = field(default=False, metadata=about("break by RST in place of FIN"))

    def __post_init__(self) -> None:
        _check_share(self.share)


@dataclass(frozen=True)
class MalformedJson(Effect):
    """The true answer's JSON breaks off; the answer itself is whole, its length right.

    Of a stream one message is so: that of the frame at which it acts.
    """

    kind: ClassVar[str] = "malformed-json"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.DONE, Moment.FRAME)

    share: float = field(default=0.5, metadata=about("how much of the JSON is sent, from 0 to 1"))

    def __post_init__(self) -> None:
        _check_share(self.share)


@dataclass(frozen=True)
class WrongContentType(Effect):
    """The true answer under another Content-Type."""

    kind: ClassVar[str] = "wrong-content-type"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.DONE,)

    content_type: str = field(
        default="text/html; charset=utf-8", metadata=about("what the header says instead")
    )

    def __post_init__(self) -> None:
        if not self.content_type.isascii() or not self.content_type.isprintable():
            raise UsageError("content_type is what can stand in a header: printable ASCII")


@dataclass(frozen=True)
class Drip(Effect):
    """The answer's body comes a few bytes at a time."""

    kind: ClassVar[str] = "drip"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.DONE,)

    size: int = field(default=1, metadata=about("bytes at a time"))
    every_s: float = field(default=0.02, metadata=about("seconds between them"))

    def __post_init__(self) -> None:
        if not 1 <= self.size <= _MOST_AT_ONCE:
            raise UsageError(f"size is at least 1 byte, not {self.size}")
        check_seconds("every_s", self.every_s)


@dataclass(frozen=True)
class Bandwidth(Effect):
    """No more bytes of a body in a second than this, for each request by itself."""

    kind: ClassVar[str] = "bandwidth"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.ARRIVED,)

    bytes_per_s: int = field(metadata=about("the most in a second, each way"))
    direction: Literal["down", "up", "both"] = field(
        default="both", metadata=about("down to the client, up from it, or both")
    )

    def __post_init__(self) -> None:
        if self.bytes_per_s < 1:
            raise UsageError(f"bytes_per_s is at least 1, not {self.bytes_per_s}")


ANSWER_EFFECTS: tuple[type[Effect], ...] = (
    HalfAnswer,
    MalformedJson,
    WrongContentType,
    Drip,
    Bandwidth,
)
