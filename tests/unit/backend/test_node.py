"""What the node counts of starts, whatever becomes of them."""

from __future__ import annotations

import asyncio

import pytest

from fake_e2b.domain.control_errors import ControlError
from fake_e2b.domain.node import NodeReport, NodeStatus
from tests.helpers.memory import World
from tests.unit.backend.test_sandbox_states import create


async def report(world: World) -> NodeReport:
    [only] = await world.backend.node.list(None)
    return only


async def test_a_start_is_counted_while_it_lasts_and_when_it_is_over() -> None:
    world = World()
    gate = world.runtime.gate("machine")
    starting = asyncio.create_task(create(world))
    await gate.reached.wait()
    during = await report(world)
    assert (during.starting_count, during.create_successes, during.sandbox_count) == (1, 0, 0)
    gate.open()
    await starting
    after = await report(world)
    assert (after.starting_count, after.create_successes, after.sandbox_count) == (0, 1, 1)


async def test_a_start_that_fails_is_counted_as_such() -> None:
    world = World()
    world.runtime.failures["machine"] = OSError("no")
    with pytest.raises(ControlError):
        await create(world)
    after = await report(world)
    assert (after.starting_count, after.create_successes, after.create_fails) == (0, 0, 1)


async def test_one_that_a_draining_node_refused_gives_its_slot_back() -> None:
    world = World()
    node = world.backend.node
    node.update(node.node_id, None, NodeStatus.DRAINING)
    with pytest.raises(ControlError):
        await create(world)
    assert (await report(world)).create_fails == 0
    assert world.backend.sandboxes._store.shelf(world.team.team_id).slots == 0


async def test_a_start_of_before_a_reset_counts_nothing_after_it() -> None:
    world = World()
    gate = world.runtime.gate("machine")
    starting = asyncio.create_task(create(world))
    await gate.reached.wait()
    await world.backend.reset()
    gate.open()
    with pytest.raises(ControlError):
        await starting
    after = await report(world)
    assert (after.starting_count, after.create_fails) == (0, 0)
