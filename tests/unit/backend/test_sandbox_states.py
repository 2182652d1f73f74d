"""Which request is allowed in which state: the service's table, row by row, and races."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fake_e2b.backend.admission import CreateRequest
from fake_e2b.backend.logs import LogLevel
from fake_e2b.backend.settings import ControlSettings
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.due import Happening
from fake_e2b.domain.sandbox import Sandbox, State
from tests.helpers.memory import World


async def create(world: World, **options: Any) -> Sandbox:
    request = CreateRequest(**({"template": "base", "timeout_s": 300} | options))
    return await world.backend.sandboxes.create(world.team, request)


Request = Callable[[World, str], Awaitable[Any]]


async def detail(world: World, sandbox_id: str) -> str:
    return world.backend.sandboxes.detail(world.team, sandbox_id).state.value


async def kill(world: World, sandbox_id: str) -> None:
    await world.backend.sandboxes.kill(world.team, sandbox_id)


async def pause(world: World, sandbox_id: str) -> None:
    await world.backend.sandboxes.pause(world.team, sandbox_id)


async def resume(world: World, sandbox_id: str) -> Sandbox:
    return await world.backend.sandboxes.resume(world.team, sandbox_id, timeout_s=15)


async def connect(world: World, sandbox_id: str) -> bool:
    _, resumed = await world.backend.sandboxes.connect(world.team, sandbox_id, timeout_s=15)
    return resumed


async def set_timeout(world: World, sandbox_id: str) -> None:
    world.backend.sandboxes.changes.set_timeout(world.team, sandbox_id, timeout_s=15)


async def refresh(world: World, sandbox_id: str) -> None:
    world.backend.sandboxes.changes.refresh(world.team, sandbox_id, duration_s=15)


async def update_network(world: World, sandbox_id: str) -> None:
    world.backend.sandboxes.changes.update_network(world.team, sandbox_id, {})


async def outcome(request: Request, world: World, sandbox_id: str) -> Any:
    """What a request gives, or the kind of its refusal."""
    try:
        return await request(world, sandbox_id)
    except ControlError as error:
        return error.kind


K = ControlKind


@pytest.mark.parametrize(
    ("request_", "running", "pausing", "killing", "paused", "gone"),
    [
        (detail, "running", "pausing", K.SANDBOX_NOT_FOUND, "paused", K.SANDBOX_NOT_FOUND),
        (
            set_timeout,
            None,
            K.BEING_PAUSED,
            K.BEING_KILLED,
            K.SANDBOX_NOT_FOUND,
            K.SANDBOX_NOT_FOUND,
        ),
        (refresh, None, K.BEING_PAUSED, K.BEING_KILLED, K.SANDBOX_NOT_FOUND, K.SANDBOX_NOT_FOUND),
        (
            update_network,
            None,
            K.BEING_PAUSED,
            K.BEING_KILLED,
            K.SANDBOX_NOT_FOUND,
            K.SANDBOX_NOT_FOUND,
        ),
    ],
)  # fmt: skip
async def test_requests_that_never_wait(
    request_: Request, running: Any, pausing: Any, killing: Any, paused: Any, gone: Any
) -> None:
    world = World()
    sandbox_id = (await create(world)).sandbox_id
    assert await outcome(request_, world, sandbox_id) == running

    gate = world.runtime.gate("pause")
    pause_task = asyncio.create_task(pause(world, sandbox_id))
    await gate.reached.wait()
    assert await outcome(request_, world, sandbox_id) == pausing
    gate.open()
    await pause_task
    assert await outcome(request_, world, sandbox_id) == paused

    await resume(world, sandbox_id)
    gate = world.runtime.gate("kill")
    kill_task = asyncio.create_task(kill(world, sandbox_id))
    await gate.reached.wait()
    assert await outcome(request_, world, sandbox_id) == killing
    gate.open()
    await kill_task
    assert await outcome(request_, world, sandbox_id) == gone


@pytest.mark.parametrize(
    ("request_", "expected", "after"),
    [
        (pause, None, State.PAUSED),
        (resume, "a sandbox", State.RUNNING),
        (connect, True, State.RUNNING),
        (kill, None, None),
    ],
)
async def test_requests_that_wait_for_a_pause(request_: Request, expected: Any, after: Any) -> None:
    world = World()
    sandbox = await create(world)
    gate = world.runtime.gate("pause")
    first = asyncio.create_task(pause(world, sandbox.sandbox_id))
    await gate.reached.wait()
    second = asyncio.create_task(outcome(request_, world, sandbox.sandbox_id))
    await asyncio.sleep(0)
    assert not second.done()
    gate.open()
    await first
    found = await second
    assert found == (sandbox if expected == "a sandbox" else expected)
    record = world.backend.sandboxes.records()
    assert [each.sandbox.state for each in record] == ([] if after is None else [after])


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (kill, None),
        (pause, K.SANDBOX_NOT_FOUND),
        (resume, K.SANDBOX_NOT_FOUND),
        (connect, K.BEING_KILLED),
    ],
)
async def test_requests_that_meet_a_kill(request_: Request, expected: Any) -> None:
    world = World()
    sandbox = await create(world)
    gate = world.runtime.gate("kill")
    first = asyncio.create_task(kill(world, sandbox.sandbox_id))
    await gate.reached.wait()
    second = asyncio.create_task(outcome(request_, world, sandbox.sandbox_id))
    await asyncio.sleep(0)
    gate.open()
    await first
    assert await second == expected


@pytest.mark.parametrize(
    ("request_", "running", "paused", "gone"),
    [
        (pause, None, K.ALREADY_PAUSED, K.SANDBOX_NOT_FOUND),
        (resume, K.ALREADY_RUNNING, "a sandbox", K.SANDBOX_NOT_FOUND),
        (connect, False, True, K.SANDBOX_NOT_FOUND),
        (kill, None, None, K.SANDBOX_NOT_FOUND),
    ],
)
async def test_requests_in_settled_states(
    request_: Request, running: Any, paused: Any, gone: Any
) -> None:
    world = World()
    sandbox = await create(world)
    assert await outcome(request_, world, sandbox.sandbox_id) == running
    other = await create(world)
    await pause(world, other.sandbox_id)
    found = await outcome(request_, world, other.sandbox_id)
    assert found == (other if paused == "a sandbox" else paused)
    assert await outcome(request_, world, "i" + "0" * 20) == gone


@pytest.mark.parametrize("request_", [detail, kill, pause, resume, connect, set_timeout, refresh])
async def test_another_teams_sandbox_does_not_exist(request_: Request) -> None:
    world = World()
    sandbox = await create(world)
    world.team = world.backend.teams.add_team("others")
    assert await outcome(request_, world, sandbox.sandbox_id) == K.SANDBOX_NOT_FOUND


async def test_two_pauses_at_once_are_one() -> None:
    world = World()
    sandbox_id = (await create(world)).sandbox_id
    gate = world.runtime.gate("pause")
    guest = world.runtime.guests[sandbox_id]
    both = [asyncio.create_task(pause(world, sandbox_id)) for _ in range(2)]
    await gate.reached.wait()
    gate.open()
    assert await asyncio.gather(*both) == [None, None]
    assert guest.steps.count("pause") == 1


async def test_two_connects_to_a_paused_sandbox_share_one_start() -> None:
    world = World()
    sandbox_id = (await create(world)).sandbox_id
    await pause(world, sandbox_id)
    gate = world.runtime.gate("resume")
    both = [asyncio.create_task(connect(world, sandbox_id)) for _ in range(2)]
    await gate.reached.wait()
    gate.open()
    assert await asyncio.gather(*both) == [True, True]
    assert world.runtime.guests[sandbox_id].steps.count("resume") == 1


async def test_a_cold_boot_cannot_join_a_start_in_flight() -> None:
    world = World()
    sandbox_id = (await create(world)).sandbox_id
    await pause(world, sandbox_id)
    gate = world.runtime.gate("resume")
    first = asyncio.create_task(connect(world, sandbox_id))
    await gate.reached.wait()
    with pytest.raises(ControlError) as refused:
        await world.backend.sandboxes.connect(world.team, sandbox_id, timeout_s=15, memory=False)
    assert refused.value.kind is K.START_IN_FLIGHT
    gate.open()
    assert await first


async def test_a_kill_during_a_start_waits_for_it() -> None:
    world = World()
    sandbox_id = (await create(world)).sandbox_id
    await pause(world, sandbox_id)
    gate = world.runtime.gate("resume")
    start = asyncio.create_task(connect(world, sandbox_id))
    await gate.reached.wait()
    ended = asyncio.create_task(kill(world, sandbox_id))
    await asyncio.sleep(0)
    gate.open()
    assert await start
    await ended
    assert world.runtime.guests == {}


async def test_departures_are_told_at_the_start_of_a_pause_and_a_kill() -> None:
    world = World()
    sandbox_id = (await create(world)).sandbox_id
    gate = world.runtime.gate("pause")
    task = asyncio.create_task(pause(world, sandbox_id))
    await gate.reached.wait()
    assert world.departed == [sandbox_id]
    gate.open()
    await task
    await kill(world, sandbox_id)
    assert world.departed == [sandbox_id]
    other = (await create(world)).sandbox_id
    await kill(world, other)
    assert world.departed == [sandbox_id, other]


async def test_a_filesystem_pause_boots_again_without_memory_and_variables() -> None:
    world = World()
    sandbox = await create(world, env_vars={"A": "1"})
    guest = world.runtime.guests[sandbox.sandbox_id]
    await world.backend.sandboxes.pause(world.team, sandbox.sandbox_id, memory=False)
    assert guest.steps == ["usage", "stop"]
    assert not sandbox.paused_memory
    await connect(world, sandbox.sandbox_id)
    assert world.runtime.guests[sandbox.sandbox_id] is not guest
    assert world.booted_with == [{"A": "1"}, {}]


async def test_a_cold_connect_boots_although_memory_was_kept() -> None:
    world = World()
    sandbox_id = (await create(world)).sandbox_id
    guest = world.runtime.guests[sandbox_id]
    await pause(world, sandbox_id)
    await world.backend.sandboxes.connect(world.team, sandbox_id, timeout_s=15, memory=False)
    assert guest.steps[-1] == "stop"
    assert world.runtime.guests[sandbox_id] is not guest


async def test_killing_a_paused_sandbox_removes_what_is_stored() -> None:
    world = World()
    sandbox_id = (await create(world)).sandbox_id
    await world.backend.sandboxes.pause(world.team, sandbox_id, memory=False)
    assert world.runtime.stored == {sandbox_id}
    await kill(world, sandbox_id)
    assert world.runtime.stored == set()


async def test_a_failed_create_leaves_nothing() -> None:
    world = World(ControlSettings(concurrent_sandboxes=1))
    world.runtime.failures["machine"] = OSError("no")
    with pytest.raises(ControlError) as failed:
        await create(world)
    assert failed.value.kind is K.CREATE_FAILED
    assert world.runtime.guests == {}
    world.runtime.failures.clear()
    await create(world)


async def test_a_failed_resume_leaves_it_paused() -> None:
    world = World(ControlSettings(concurrent_sandboxes=1))
    sandbox = await create(world)
    await pause(world, sandbox.sandbox_id)
    world.runtime.failures["resume"] = OSError("no")
    assert await outcome(connect, world, sandbox.sandbox_id) == K.CREATE_FAILED
    assert sandbox.state is State.PAUSED
    [entry] = world.backend.logs.second_generation(
        world.team.team_id,
        sandbox.sandbox_id,
        cursor_ms=None,
        limit=1,
        forward=False,
        level=LogLevel.ERROR,
        search="",
    )
    assert entry.fields["error"] == "OSError('no')"
    world.runtime.failures.clear()
    assert await outcome(connect, world, sandbox.sandbox_id) is True


async def test_a_failed_pause_loses_the_sandbox_for_all_who_wait() -> None:
    world = World()
    sandbox_id = (await create(world)).sandbox_id
    gate = world.runtime.gate("pause")
    world.runtime.failures["pause"] = OSError("no")
    both = [asyncio.create_task(outcome(pause, world, sandbox_id)) for _ in range(2)]
    await gate.reached.wait()
    gate.open()
    assert await asyncio.gather(*both) == [K.PAUSE_FAILED, K.PAUSE_FAILED]
    assert world.backend.sandboxes.records() == []
    assert world.runtime.guests == {}


async def test_a_failed_kill_is_told_and_the_sandbox_is_gone() -> None:
    world = World()
    sandbox_id = (await create(world)).sandbox_id
    world.runtime.failures["kill"] = OSError("no")
    assert await outcome(kill, world, sandbox_id) == K.KILL_FAILED
    assert await outcome(kill, world, sandbox_id) == K.SANDBOX_NOT_FOUND


async def test_a_dead_machine_is_not_paused_when_its_health_matters() -> None:
    world = World()
    sandbox = await create(world)
    world.runtime.guests[sandbox.sandbox_id].alive = False
    with pytest.raises(ControlError) as refused:
        await world.backend.sandboxes.pause(world.team, sandbox.sandbox_id, require_healthy=True)
    assert refused.value.kind is K.GUEST_UNHEALTHY
    assert sandbox.state is State.RUNNING


async def test_the_limit_counts_what_is_live_and_what_starts() -> None:
    world = World(ControlSettings(concurrent_sandboxes=2))
    first = await create(world)
    gate = world.runtime.gate("create")
    starting = asyncio.create_task(create(world))
    await gate.reached.wait()
    with pytest.raises(ControlError) as refused:
        await create(world)
    assert refused.value.fields == {"limit": 2}
    gate.open()
    await starting
    await pause(world, first.sandbox_id)
    await create(world)
    assert await outcome(connect, world, first.sandbox_id) == K.CONCURRENCY_LIMIT


async def test_a_reset_forgets_all_and_fails_a_create_in_progress() -> None:
    world = World()
    await create(world)
    paused = await create(world)
    await pause(world, paused.sandbox_id)
    gate = world.runtime.gate("create")
    starting = asyncio.create_task(create(world))
    await gate.reached.wait()
    await world.backend.reset()
    gate.open()
    with pytest.raises(ControlError):
        await starting
    assert world.runtime.guests == {}
    assert world.next_deadline_ns() is None


async def test_expired_sandboxes_are_killed_or_paused() -> None:
    world = World()
    doomed = await create(world, timeout_s=10)
    kept = await create(world, timeout_s=10, auto_pause=True, auto_pause_memory=False)
    late = await create(world, timeout_s=20)
    happened = await world.advance(10)
    now_ns = world.clock.now_ns()
    assert happened == [
        Happening(now_ns, "killed", doomed.sandbox_id),
        Happening(now_ns, "paused", kept.sandbox_id),
    ]
    assert {each.sandbox.sandbox_id for each in world.backend.sandboxes.records()} == {
        kept.sandbox_id,
        late.sandbox_id,
    }
    assert not kept.paused_memory
    assert kept.end_at_ns == world.clock.now_ns()


async def test_a_pause_that_fails_when_its_time_is_up_is_told_as_a_kill() -> None:
    world = World()
    sandbox = await create(world, timeout_s=10, auto_pause=True)
    world.runtime.failures["pause"] = OSError("stuck")
    happened = await world.advance(10)
    assert [(each.outcome, each.sandbox_id) for each in happened] == [
        ("killed", sandbox.sandbox_id)
    ]
    assert list(world.backend.sandboxes.records()) == []


async def test_one_that_wakes_right_after_its_time_was_up_is_told_as_paused() -> None:
    world = World()
    sandbox = await create(world, timeout_s=10, auto_pause=True)
    gate = world.runtime.gate("pause")
    advancing = asyncio.create_task(world.advance(10))
    await gate.reached.wait()
    waking = asyncio.create_task(
        world.backend.sandboxes.connect(world.team, sandbox.sandbox_id, timeout_s=60)
    )
    gate.open()
    assert [each.outcome for each in await advancing] == ["paused"]
    await waking
    assert sandbox.state is State.RUNNING


async def test_a_sandbox_past_its_end_can_still_be_extended() -> None:
    world = World()
    sandbox = await create(world, timeout_s=10)
    world.clock.move_to(sandbox.end_at_ns + 1)
    await set_timeout(world, sandbox.sandbox_id)
    assert await world.backend.sandboxes.run_due() == []
    assert sandbox.state is State.RUNNING


async def test_the_next_deadline_follows_the_sandboxes() -> None:
    world = World()
    changes: list[int | None] = []
    sandboxes = world.backend.sandboxes
    sandboxes.on_deadline_change(lambda: changes.append(world.next_deadline_ns()))
    far = await create(world, timeout_s=100)
    near = await create(world, timeout_s=50)
    assert changes == [far.end_at_ns, near.end_at_ns]
    await kill(world, near.sandbox_id)
    assert world.next_deadline_ns() == far.end_at_ns
    await pause(world, far.sandbox_id)
    assert world.next_deadline_ns() is None
