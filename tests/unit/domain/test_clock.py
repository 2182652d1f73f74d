from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_e2b.domain.clock import (
    LATEST_NS,
    LATEST_S,
    MovableClock,
    duration_ns,
    from_datetime,
    to_datetime,
)
from fake_e2b.domain.errors import UsageError
from tests.helpers.clock import ManualClock


def test_a_frozen_clock_shows_whole_microseconds_and_never_an_earlier_time() -> None:
    clock = MovableClock(ManualClock(1_001), frozen=True)
    assert clock.now_ns() == 2_000
    assert from_datetime(to_datetime(clock.now_ns())) == clock.now_ns()


def test_it_says_how_long_to_wait_in_real_time() -> None:
    class Real(ManualClock):
        def real_delay_s(self, until_ns: int) -> float:
            return max(0, until_ns - self.now_ns()) / 1e9

    clock = MovableClock(Real(10**9), frozen=False)
    clock.move_to(5 * 10**9)
    assert clock.real_delay_s(7 * 10**9) == 2
    assert clock.real_delay_s(4 * 10**9) == 0
    clock.freeze()
    assert clock.real_delay_s(7 * 10**9) is None
    assert clock.real_delay_s(5 * 10**9) == 0


@pytest.mark.parametrize("frozen", [True, False])
def test_it_is_not_moved_back(frozen: bool) -> None:
    clock = MovableClock(ManualClock(5_000), frozen=frozen)
    with pytest.raises(ValueError, match="back"):
        clock.move_to(4_999)
    assert clock.now_ns() == 5_000


@given(
    st.lists(st.tuples(st.sampled_from(["real", "move", "freeze", "follow"]), st.integers(0, 99)))
)
def test_whatever_is_done_to_it_time_never_goes_back(steps: list[tuple[str, int]]) -> None:
    real = ManualClock(12_345)
    clock = MovableClock(real, frozen=False)
    before_ns = clock.now_ns()
    for step, by_ns in steps:
        if step == "real":
            real.move_to(real.now_ns() + by_ns)
        elif step == "move":
            clock.move_to(clock.now_ns() + by_ns)
        else:
            getattr(clock, step)()
        assert clock.now_ns() >= before_ns
        before_ns = clock.now_ns()


@given(st.integers(0, LATEST_S * 10**6))
def test_datetimes_come_back_as_they_went(microseconds: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    assert to_datetime(from_datetime(moment)) == moment
    elsewhere = moment.astimezone(timezone(timedelta(hours=-9, minutes=-30)))
    assert from_datetime(elsewhere) == from_datetime(moment)


def test_a_datetime_without_a_zone_is_no_instant() -> None:
    with pytest.raises(ValueError, match="time zone"):
        from_datetime(datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None))


@pytest.mark.parametrize(
    "wrong",
    [
        "5",
        None,
        True,
        -1,
        -0.1,
        float("nan"),
        float("inf"),
        pytest.param(10**5000, id="huge"),
        LATEST_S + 1,
        [1],
    ],
)
def test_a_wrong_duration_is_refused_with_the_right_form(wrong: object) -> None:
    with pytest.raises(UsageError, match=r"write advance\(60\)"):
        duration_ns(wrong, "advance(60)")


def test_a_right_duration() -> None:
    assert duration_ns(1, "") == 10**9
    assert duration_ns(0.25, "") == 250_000_000
    assert duration_ns(LATEST_S, "") == LATEST_NS
