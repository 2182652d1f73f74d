"""How long a latency is, by its distribution and its rule's dice."""

from __future__ import annotations

from statistics import median

import pytest

from fake_e2b import UsageError
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.steering.effects import Latency
from fake_e2b.server.steering.acts import seconds_of


def _drawn(effect: Latency, seed: int = 7) -> list[float]:
    dice = IdSource(seed).dice("rule")
    return [seconds_of(effect, dice) for _ in range(1000)]


def test_a_fixed_one_is_always_the_same() -> None:
    assert set(_drawn(Latency(1.5))) == {1.5}


def test_a_uniform_one_lies_between_its_ends() -> None:
    drawn = _drawn(Latency(1, "uniform", most_s=3))
    assert 1 <= min(drawn) < 1.1
    assert 2.9 < max(drawn) <= 3


def test_a_log_normal_one_has_its_median_and_a_long_tail() -> None:
    drawn = _drawn(Latency(1, "log-normal", sigma=1))
    assert 0.9 < median(drawn) < 1.1
    assert max(drawn) > 5
    assert min(drawn) > 0


def test_the_same_seed_draws_the_same() -> None:
    effect = Latency(1, "log-normal", sigma=1)
    assert _drawn(effect) == _drawn(effect) != _drawn(effect, seed=8)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"seconds": -1}, "seconds is from 0"),
        ({"seconds": 1, "most_s": 2}, "uniform"),
        ({"seconds": 2, "distribution": "uniform", "most_s": 1}, "must not be below"),
        ({"seconds": 1, "distribution": "log-normal"}, "log-normal needs it"),
        ({"seconds": 1, "distribution": "log-normal", "sigma": 9}, "at most 5"),
    ],
)
def test_what_can_never_be_is_refused(arguments: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        Latency(**arguments)  # type: ignore[arg-type]
