"""The clock that every rule reads.

Instants are integers: nanoseconds since 1970-01-01T00:00:00Z. Names that hold one end in `_ns`.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Protocol

from fake_e2b.domain.errors import UsageError

SECOND_NS = 1_000_000_000
LATEST_S = 7_258_118_400
LATEST_NS = LATEST_S * SECOND_NS
"""The year 2200: what is written as a date, or counted in 64 bits, is still possible then."""
_MICROSECOND_NS = 1_000
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class Clock(Protocol):
    """Where the fake takes "now" from."""

    def now_ns(self) -> int:
        """The current instant."""
        ...

    def real_delay_s(self, until_ns: int) -> float | None:
        """Real seconds until `until_ns` is reached by itself; None if it never is."""
        ...


class MovableClock:
    """A clock that follows another one, ahead of it by what it was moved, or stands still.

    It may be read from any thread; one thread moves it. Where it stands still it shows whole
    microseconds, so that a `datetime` can say the very instant.

    Args:
        real: What it follows.
        frozen: Whether it stands still at first, at the real clock's instant.

    Attributes:
        on_move: Called after each move that is not the time's own.

    Fact: fake.clock.modes
    """

    def __init__(self, real: Clock, *, frozen: bool) -> None:
        self._real = real
        self._starts_frozen = frozen
        self.on_move: Callable[[], None] = lambda: None
        # A reader in another thread sees either of them changed, never a time that is neither.
        self._ahead_ns = 0
        self._still_ns: int | None = None
        self.restart()

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return self._still_ns is not None

    def now_ns(self) -> int:
        """The instant it shows."""
        still_ns = self._still_ns
        return self._real.now_ns() + self._ahead_ns if still_ns is None else still_ns

    def shown_at(self, real_ns: int) -> int:
        """What it shows when the real clock shows `real_ns`, which is now."""
        still_ns, ahead_ns = self._still_ns, self._ahead_ns
        if still_ns is not None:
            return still_ns
        return real_ns + ahead_ns if ahead_ns else real_ns

    def real_delay_s(self, until_ns: int) -> float | None:
        """What it takes until `until_ns`; 0 once it is reached, None while it stands still."""
        still_ns = self._still_ns
        if still_ns is None:
            return self._real.real_delay_s(until_ns - self._ahead_ns)
        return 0.0 if until_ns <= still_ns else None

    def move_to(self, instant_ns: int) -> None:
        """Show `instant_ns` now, and stand still there or go on from it.

        Raises:
            ValueError: `instant_ns` lies before the instant shown.
        """
        now_ns = self.now_ns()
        if instant_ns < now_ns:
            raise ValueError("a clock cannot be moved back")
        if self._still_ns is None:
            self._ahead_ns += instant_ns - now_ns
        else:
            self._still_ns = instant_ns
        self.on_move()

    def freeze(self) -> None:
        """Stand still from now on."""
        if self._still_ns is None:
            self._still_ns = -(-self.now_ns() // _MICROSECOND_NS) * _MICROSECOND_NS

    def follow(self) -> None:
        """Go on from the instant shown, as fast as real time does."""
        if self._still_ns is not None:
            self._ahead_ns = self._still_ns - self._real.now_ns()
            self._still_ns = None
            self.on_move()

    @property
    def ahead_ns(self) -> int:
        """How far what it shows is ahead of the real clock, by now."""
        return self.now_ns() - self._real.now_ns()

    def restart(self) -> None:
        """Show the real clock's instant again, be it earlier, in the mode it was made with.

        Only for a fake that has forgotten all that has a time.
        """
        self._ahead_ns = 0
        self._still_ns = None
        if self._starts_frozen:
            self.freeze()
        self.on_move()


def to_datetime(instant_ns: int) -> datetime.datetime:
    """The instant, in UTC; what is below a microsecond is left out."""
    return _EPOCH + datetime.timedelta(microseconds=instant_ns // _MICROSECOND_NS)


def from_datetime(moment: datetime.datetime) -> int:
    """The instant that an aware `datetime` means.

    Raises:
        ValueError: It is a naive one.
    """
    if moment.utcoffset() is None:
        raise ValueError("a datetime without a time zone is no instant")
    return (moment - _EPOCH) // datetime.timedelta(microseconds=1) * _MICROSECOND_NS


def duration_ns(seconds: object, form: str) -> int:
    """Seconds as somebody wrote them, as nanoseconds.

    Args:
        form: An example of how to write them, for the error.

    Raises:
        UsageError: They are no number, negative, or more than there are until `LATEST_NS`.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise UsageError(f"seconds must be a number, not {seconds!r}; write {form}")
    # NaN is refused here too: it compares with nothing.
    if not 0 <= seconds <= LATEST_S:
        raise UsageError(
            f"a clock only moves forward, and not beyond the year 2200: seconds must be from 0 to "
            f"{LATEST_S}; write {form}"
        )
    return round(seconds * SECOND_NS)
