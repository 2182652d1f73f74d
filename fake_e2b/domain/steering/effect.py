"""What all effects have in common."""

from __future__ import annotations

from typing import ClassVar

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.steering.asked import Asked
from fake_e2b.domain.steering.match import RequestMatch, operations_of
from fake_e2b.domain.steering.point import Moment, Point
from fake_e2b.domain.steering.streams import check_frame

LONGEST_S = 24 * 3600.0


def check_seconds(name: str, seconds: float | None) -> None:
    """Refuse a time that can never be.

    Raises:
        UsageError: It is negative, or longer than a day.
    """
    if seconds is not None and not 0 <= seconds <= LONGEST_S:
        raise UsageError(f"{name} is from 0 to {LONGEST_S:.0f} seconds, not {seconds}")


class Effect:
    """The base of all effects; subclasses are frozen dataclasses.

    Attributes:
        kind: Its word in JSON and TOML.
        moments: When it can act, the first being its default.
        only_for: Patterns of the operations that it can act on.
        counts_itself: Whether it tells by itself when it acted: what it does may not come to pass
            with every request that it is armed for.
        reads_body: Whether it has to know what only a request's body says.
    """

    kind: ClassVar[str]
    moments: ClassVar[tuple[Moment, ...]] = (Moment.ARRIVED, Moment.DONE, Moment.FRAME)
    only_for: ClassVar[tuple[str, ...]] = ("*",)
    counts_itself: ClassVar[bool] = False
    reads_body: ClassVar[bool] = False

    @property
    def default_point(self) -> Point:
        """Where it acts unless a rule says otherwise."""
        first = self.moments[0]
        return Point(first, 1) if first is Moment.FRAME else Point(first)

    def point_for(self, match: RequestMatch) -> Point:
        """The same, for the requests that a rule is about."""
        return self.default_point

    def check(self, match: RequestMatch, at: Point) -> None:
        """Refuse what can never come true of such requests.

        Raises:
            UsageError: It can't act at that point, or on such requests; the text says on which.
        """
        if at.moment not in self.moments:
            fitting = ", ".join("frame=n" if m is Moment.FRAME else m.value for m in self.moments)
            raise UsageError(f"{self.kind} cannot act at {at}; it acts at {fitting}")
        within = frozenset().union(*map(operations_of, self.only_for))
        if not match.operations <= within:
            raise UsageError(
                f"{self.kind} acts on {' and '.join(self.only_for)} only, not on {match.operation}"
            )
        check_frame(match, at)

    def concerns(self, asked: Asked) -> bool:
        """Whether there is anything for it to act on in a request that the match fits."""
        return True


def need_any(kind: str, match: RequestMatch, fitting: frozenset[str]) -> None:
    """Refuse a match none of whose operations is among `fitting`.

    Raises:
        UsageError: It names those that are.
    """
    if not match.operations & fitting:
        raise UsageError(
            f"{kind} can never act on {match.operation}; it acts on {', '.join(sorted(fitting))}"
        )
