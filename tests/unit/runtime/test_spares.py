"""Guests made ahead of need: how many, when, and what becomes of them."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from fake_e2b.runtime.spares import Spares
from tests.runtime.guests import wait_until


class Maker:
    """Makes numbers; counts how many are being made."""

    def __init__(self) -> None:
        self.numbers = itertools.count()
        self.made = 0
        self.failure: Exception | None = None

    async def __call__(self) -> int:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        self.made += 1
        return next(self.numbers)


async def test_nothing_is_made_before_it_is_asked_for() -> None:
    spares = Spares(Maker(), at_hand=2, most=4)
    assert spares.take() is None
    assert await spares.close() == []


async def test_a_quiet_store_fills_up_to_its_bound_and_no_further() -> None:
    make = Maker()
    spares = Spares(make, at_hand=2, most=4)
    spares.fill()
    await wait_until(lambda: len(spares) == 4, "it is full")
    assert make.made == 4
    assert spares.take() == 0
    await wait_until(lambda: len(spares) == 4, "it is full")
    assert await spares.close() == [1, 2, 3, 4]


async def test_what_was_taken_is_replaced_when_none_is_left() -> None:
    spares = Spares(Maker(), at_hand=1, most=1)
    await spares.one()
    for number in range(5):
        assert spares.take() == number
        await spares.one()
    assert await spares.close() == [5]


async def test_whoever_waits_for_the_first_learns_why_there_is_none() -> None:
    make = Maker()
    make.failure = OSError("no namespaces")
    spares = Spares(make, at_hand=2, most=4)
    with pytest.raises(OSError, match="no namespaces"):
        await spares.one()
    make.failure = None
    await spares.one()
    assert spares.take() == 0
    await spares.close()


async def test_a_closed_store_makes_no_more() -> None:
    make = Maker()
    spares = Spares(make, at_hand=2, most=4)
    await spares.one()
    left = await spares.close()
    assert len(left) == make.made
    spares.fill()
    await asyncio.sleep(0)
    assert spares.take() is None
    assert len(left) == make.made


async def test_without_spares_there_is_nothing_to_wait_for() -> None:
    spares = Spares(Maker(), at_hand=0, most=4)
    await spares.one()
    assert spares.take() is None
    assert await spares.close() == []
