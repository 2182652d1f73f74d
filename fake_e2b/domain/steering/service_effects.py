"""Effects on the service as a whole: its door, and how much it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import about
from fake_e2b.domain.steering.asked import Asked
from fake_e2b.domain.steering.effect import Effect, check_seconds
from fake_e2b.domain.steering.match import RequestMatch
from fake_e2b.domain.steering.point import Moment, Point


@dataclass(frozen=True)
class Refuse(Effect):
    """Nobody listens: connections are refused, idle ones are closed.

    No request reaches the fake, so nothing can be matched: the rule is in force at once.
    """

    kind: ClassVar[str] = "refuse"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.ARRIVED,)

    seconds: float | None = field(
        default=None, metadata=about("for how long, in real time; until it is removed if left")
    )

    def __post_init__(self) -> None:
        check_seconds("seconds", self.seconds)

    def check(self, match: RequestMatch, at: Point) -> None:
        """It cannot be told what would have been asked.

        Raises:
            UsageError: The match says anything.
        """
        super().check(match, at)
        if match != RequestMatch():
            raise UsageError(
                "a refused connection asks for nothing that could be matched: "
                'add("*", effects.Refuse(seconds=2)), without conditions'
            )


@dataclass(frozen=True)
class RateLimit(Effect):
    """So many requests in any such time; more are answered with 429 and Retry-After.

    A window that slides on the fake's clock. All answers carry RateLimit-Limit, -Remaining and
    -Reset.
    """

    kind: ClassVar[str] = "rate-limit"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.ARRIVED,)

    requests: int = field(metadata=about("how many are let through"))
    per_s: float = field(metadata=about("in how many seconds"))
    by: Literal["all", "key", "address"] = field(
        default="all", metadata=about("counted together, for each API key or client address")
    )

    of: Literal["all", "api", "sandboxes"] = field(
        default="all", metadata=about("requests to the API, into sandboxes, or both, are counted")
    )

    def concerns(self, asked: Asked) -> bool:
        """Whether the request is of those that are counted."""
        return self.of == "all" or (self.of == "api") == (asked.port is None)

    def __post_init__(self) -> None:
        if self.requests < 1:
            raise UsageError(f"requests is at least 1, not {self.requests}")
        check_seconds("per_s", self.per_s)
        if not self.per_s:
            raise UsageError("per_s is more than 0 seconds")


@dataclass(frozen=True)
class PlanLimits(Effect):
    """What a team's plan allows: so many sandboxes at once, each so long.

    It counts the requests that are refused for it.
    """

    kind: ClassVar[str] = "plan-limits"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.ARRIVED,)
    counts_itself: ClassVar[bool] = True

    concurrent_sandboxes: int | None = field(
        default=None, metadata=about("how many may be live at once; paused ones are free")
    )
    max_length_hours: int | None = field(
        default=None, metadata=about("how long one run of a sandbox may last")
    )

    def __post_init__(self) -> None:
        for name in ("concurrent_sandboxes", "max_length_hours"):
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise UsageError(f"{name} is at least 1, not {limit}")
        if self.concurrent_sandboxes is None and self.max_length_hours is None:
            raise UsageError("say concurrent_sandboxes, max_length_hours or both")


SERVICE_EFFECTS: tuple[type[Effect], ...] = (Refuse, RateLimit, PlanLimits)
