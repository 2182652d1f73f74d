"""How long sandboxes live, and what may change it."""

from __future__ import annotations

import pytest

from fake_e2b.backend.admission import CreateRequest
from fake_e2b.backend.settings import ControlSettings
from fake_e2b.domain.clock import SECOND_NS
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.sandbox import Sandbox
from tests.helpers.memory import World


async def create(world: World, timeout_s: int = 300) -> Sandbox:
    return await world.backend.sandboxes.create(world.team, CreateRequest("base", timeout_s))


def left(world: World, sandbox: Sandbox) -> float:
    return (sandbox.end_at_ns - world.clock.now_ns()) / SECOND_NS


async def test_the_end_counts_from_the_start() -> None:
    world = World()
    sandbox = await create(world, 42)
    assert sandbox.end_at_ns - sandbox.started_at_ns == 42 * SECOND_NS


@pytest.mark.parametrize(
    ("timeout_s", "kind"),
    [(0, ControlKind.TIMEOUT_TOO_LOW), (3601, ControlKind.TIMEOUT_TOO_HIGH)],
)
async def test_create_and_resume_refuse_what_is_out_of_range(
    timeout_s: int, kind: ControlKind
) -> None:
    world = World(ControlSettings(max_length_hours=1))
    with pytest.raises(ControlError) as refused:
        await create(world, timeout_s)
    assert refused.value.kind is kind
    with pytest.raises(ControlError) as refused:
        await world.backend.sandboxes.resume(world.team, "iunknown", timeout_s=timeout_s)
    assert refused.value.kind is kind


async def test_connect_checks_the_timeout_before_the_sandbox() -> None:
    world = World(ControlSettings(max_length_hours=1))
    with pytest.raises(ControlError) as refused:
        await world.backend.sandboxes.connect(world.team, "iunknown", timeout_s=3601)
    assert refused.value.kind is ControlKind.TIMEOUT_TOO_HIGH
    assert refused.value.fields == {"hours": 1}


async def test_set_timeout_shortens_and_connect_and_refresh_do_not() -> None:
    world = World()
    sandboxes = world.backend.sandboxes
    sandbox = await create(world, 300)
    await sandboxes.connect(world.team, sandbox.sandbox_id, timeout_s=10)
    sandboxes.changes.refresh(world.team, sandbox.sandbox_id, duration_s=10)
    assert left(world, sandbox) == 300
    sandboxes.changes.set_timeout(world.team, sandbox.sandbox_id, timeout_s=10)
    assert left(world, sandbox) == 10
    sandboxes.changes.refresh(world.team, sandbox.sandbox_id, duration_s=0)
    assert left(world, sandbox) == 15
    await sandboxes.connect(world.team, sandbox.sandbox_id, timeout_s=60)
    assert left(world, sandbox) == 60


async def test_set_timeout_is_cut_to_the_longest_run() -> None:
    world = World(ControlSettings(max_length_hours=1))
    sandbox = await create(world)
    await world.advance(100)
    world.backend.sandboxes.changes.set_timeout(world.team, sandbox.sandbox_id, timeout_s=10**6)
    assert sandbox.end_at_ns - sandbox.started_at_ns == 3600 * SECOND_NS


async def test_a_run_that_is_too_old_cannot_be_extended() -> None:
    world = World(ControlSettings(max_length_hours=1))
    sandbox = await create(world)
    world.clock.move_to(sandbox.started_at_ns + 3601 * SECOND_NS)
    with pytest.raises(ControlError) as refused:
        world.backend.sandboxes.changes.set_timeout(world.team, sandbox.sandbox_id, timeout_s=10)
    assert refused.value.kind is ControlKind.MAX_LENGTH_EXCEEDED
    with pytest.raises(ControlError) as refused:
        await world.backend.sandboxes.connect(world.team, sandbox.sandbox_id, timeout_s=10)
    assert refused.value.kind is ControlKind.MAX_LENGTH_EXCEEDED


async def test_timeout_zero_ends_it_at_once() -> None:
    world = World()
    sandbox = await create(world)
    world.backend.sandboxes.changes.set_timeout(world.team, sandbox.sandbox_id, timeout_s=0)
    assert world.next_deadline_ns() == world.clock.now_ns()
    [expired] = await world.backend.sandboxes.run_due()
    assert expired.sandbox_id == sandbox.sandbox_id


async def test_a_resume_starts_the_time_anew() -> None:
    world = World()
    sandbox = await create(world, 300)
    created_ns = sandbox.started_at_ns
    await world.advance(5)
    await world.backend.sandboxes.pause(world.team, sandbox.sandbox_id)
    assert sandbox.started_at_ns == created_ns
    assert sandbox.end_at_ns == world.clock.now_ns()
    await world.advance(1000)
    await world.backend.sandboxes.resume(
        world.team, sandbox.sandbox_id, timeout_s=20, auto_pause=True
    )
    assert sandbox.started_at_ns == world.clock.now_ns()
    assert left(world, sandbox) == 20
    assert sandbox.on_timeout.value == "pause"


async def test_many_extensions_leave_one_deadline() -> None:
    world = World()
    sandbox = await create(world, 300)
    for seconds in range(5_000):
        world.backend.sandboxes.changes.set_timeout(
            world.team, sandbox.sandbox_id, timeout_s=400 + seconds
        )
    assert world.next_deadline_ns() == sandbox.end_at_ns
    assert await world.advance(5_398) == []
    assert len(await world.advance(1)) == 1
