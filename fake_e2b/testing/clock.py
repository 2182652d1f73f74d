"""`fake.clock`: the time of a `FakeE2B`, which tests read and move."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from fake_e2b.domain.clock import duration_ns, from_datetime, to_datetime
from fake_e2b.domain.due import Deadline, Happening
from fake_e2b.domain.errors import UsageError

if TYPE_CHECKING:
    from fake_e2b.server.app import Fake
    from fake_e2b.testing.fake import FakeE2B

Result = TypeVar("Result")

_ADVANCE_FORM = "fake.clock.advance(seconds=60)"
_SET_FORM = "fake.clock.set(fake.clock.now + timedelta(hours=1)), or a datetime with tzinfo=UTC"


class FakeClock:
    """The clock that every rule of a fake reads.

    With ``clock="manual"`` it stands still at first, else it follows real time; both can be moved,
    frozen and let go on, at any moment and from any thread. It only goes forward; `FakeE2B.reset`
    alone, which forgets everything that has a time, brings it back to real time.

    What runs in a sandbox keeps the machine's time. Fact: fake.clock.real-time
    """

    def __init__(self, owner: FakeE2B) -> None:
        self._owner = owner

    @property
    def now(self) -> datetime.datetime:
        """What time it is for the fake, in UTC and to the microsecond."""
        return to_datetime(self.now_ns())

    def now_ns(self) -> int:
        """The same in nanoseconds since the epoch."""
        return self._owner._fake().clock.now_ns()

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return self._owner._fake().clock.frozen

    def advance(self, *, seconds: float) -> list[Happening]:
        """Move it; returns once everything that became due has happened.

        Every sandbox whose end lies on the way is killed or paused at its own instant. A clock that
        follows real time goes on from the new instant.

        Returns:
            What has happened, in order.

        Raises:
            UsageError: `seconds` is no number, negative or too large; nothing has moved.
        """
        by_ns = duration_ns(seconds, _ADVANCE_FORM)
        return self._call(lambda fake: fake.timekeeper.advance(by_ns))

    def set(self, moment: datetime.datetime) -> list[Happening]:
        """Move it to an instant; else as `advance`.

        Raises:
            UsageError: `moment` is no datetime with a time zone, or lies before the present or too
                far ahead; nothing has moved.
        """
        if not isinstance(moment, datetime.datetime):
            raise UsageError(f"set() takes a datetime, not {moment!r}; write {_SET_FORM}")
        if moment.utcoffset() is None:
            raise UsageError(f"{moment!r} has no time zone; write {_SET_FORM}")
        to_ns = from_datetime(moment)
        return self._call(lambda fake: fake.timekeeper.set(to_ns))

    def freeze(self) -> None:
        """Let it stand still: nothing becomes due but by `advance` and `set`."""
        self._call(lambda fake: fake.timekeeper.freeze())

    def follow(self) -> None:
        """Let it go on from where it stands, as fast as real time does."""
        self._call(lambda fake: fake.timekeeper.follow())

    def next_deadline(self) -> Deadline | None:
        """What will happen next by itself and when; None if nothing will."""

        async def look(fake: Fake) -> Deadline | None:
            return fake.due.next_deadline()

        return self._call(look)

    def _call(self, operation: Callable[[Fake], Coroutine[Any, Any, Result]]) -> Result:
        fake = self._owner._fake()
        return self._owner._thread().call(lambda: operation(fake))
