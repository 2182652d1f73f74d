"""The same create request twice."""

from __future__ import annotations

import asyncio

import pytest

from fake_e2b.backend.idempotency import Idempotency
from fake_e2b.domain.clock import SECOND_NS
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.ids import TeamID
from tests.helpers.clock import ManualClock

TEAM = TeamID("a")


async def test_a_second_one_meets_the_first_at_work() -> None:
    memory = Idempotency(ManualClock(0), 60)
    gate = asyncio.Event()

    async def slow() -> str:
        await gate.wait()
        return "made"

    first = asyncio.create_task(memory.once(TEAM, "k", "request", slow))
    await asyncio.sleep(0)
    with pytest.raises(ControlError) as refused:
        await memory.once(TEAM, "k", "request", slow)
    assert refused.value.kind is ControlKind.IDEMPOTENCY_IN_PROGRESS
    gate.set()
    assert await first == "made"


async def test_keys_belong_to_a_team_and_fade() -> None:
    clock = ManualClock(0)
    memory = Idempotency(clock, 60)
    made: list[int] = []

    async def make() -> int:
        made.append(len(made))
        return made[-1]

    assert await memory.once(TEAM, "k", "request", make) == 0
    assert await memory.once(TEAM, "k", "request", make) == 0
    assert await memory.once(TeamID("b"), "k", "request", make) == 1
    clock.move_to(60 * SECOND_NS)
    assert await memory.once(TEAM, "k", "other", make) == 2
