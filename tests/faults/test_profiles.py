"""Profiles: named sets of rules, put in force and taken back as a whole."""

from __future__ import annotations

import httpx
import pytest

from fake_e2b import FakeE2B, UsageError, profiles


def test_a_profile_is_a_set_of_named_rules(fake: FakeE2B) -> None:
    with fake.faults.profile("slow-start", seed=7) as slow:
        assert slow.seed == 7
        assert [fault.name for fault in fake.faults.list()] == [
            "slow-start: create (seed 7)",
            "slow-start: resume (seed 7)",
            "slow-start: connect (seed 7)",
        ]
        with pytest.raises(UsageError, match="in force already"):
            fake.faults.profile("slow-start", seed=8)
    assert not fake.faults.list()
    slow.remove()


def test_the_seed_is_the_fakes_unless_given(fake: FakeE2B) -> None:
    assert fake.faults.profile("slow-start").seed == 1


def test_an_unknown_profile_is_refused(fake: FakeE2B) -> None:
    with pytest.raises(UsageError, match="did you mean 'slow-start'"):
        fake.faults.profile("slow-strat")
    with pytest.raises(UsageError, match="there is no profile 'x'"), FakeE2B(profile="x"):
        pass
    assert not fake.faults.list()


def test_every_profile_says_what_it_stands_for() -> None:
    assert {"flaky-network", "slow-start"} <= set(profiles.names())
    for name in profiles.names():
        assert profiles.about(name).endswith(".")


def test_one_seed_makes_one_choice(fake: FakeE2B) -> None:
    fates = [_fates(fake, seed) for seed in (7, 7, 8)]
    assert fates[0] == fates[1] != fates[2]
    assert "whole" in fates[0]
    assert len(set(fates[0])) > 1


def _fates(fake: FakeE2B, seed: int) -> list[str]:
    fates = []
    with fake.faults.profile("flaky-network", seed=seed):
        for _ in range(60):
            try:
                httpx.get(f"{fake.url}/health")
                fates.append("whole")
            except httpx.TransportError as error:
                fates.append(type(error).__name__)
    return fates


def test_a_fake_that_is_so_from_the_start_and_after_a_reset() -> None:
    with FakeE2B(runtime="local", profile="slow-start", seed=3) as fake:
        fake.faults.reset()
        assert not fake.faults.list()
        fake.reset()
        assert [fault.rule.seed for fault in fake.faults.list()] == [3, 3, 3]
