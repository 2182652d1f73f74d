"""Traffic into sandboxes: what is let in, what wakes a paused one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fake_e2b.backend.admission import CreateRequest
from fake_e2b.backend.patience import Endless
from fake_e2b.backend.settings import ControlSettings
from fake_e2b.domain.clock import SECOND_NS
from fake_e2b.domain.control_errors import ProxyError, ProxyKind
from fake_e2b.domain.ports import Event
from fake_e2b.domain.sandbox import Sandbox, State
from fake_e2b.server.patience import LimitedPatience
from fake_e2b.wire.signature import sign
from tests.helpers.memory import Gate, World

PRIVATE = {"allowPublicTraffic": False}


async def create(world: World, **options: Any) -> Sandbox:
    request = CreateRequest(**({"template": "base", "timeout_s": 600} | options))
    return await world.backend.sandboxes.create(world.team, request)


async def enter(
    world: World, sandbox: Sandbox, port: int = 8000, *, access: str | None = None,
    traffic: str | None = None,
) -> Sandbox | ProxyKind:  # fmt: skip
    try:
        entered, _ = await world.backend.sandboxes.enter(
            sandbox.sandbox_id, port=port, access_token=access, traffic_token=traffic
        )
    except ProxyError as error:
        return ProxyKind(error.kind)
    return entered


async def paused(world: World, *, memory: bool = True, **options: Any) -> Sandbox:
    sandbox = await create(world, **options)
    await world.backend.sandboxes.pause(world.team, sandbox.sandbox_id, memory=memory)
    return sandbox


async def test_a_running_sandbox_is_entered_without_any_key() -> None:
    world = World()
    sandbox = await create(world)
    assert await enter(world, sandbox) is sandbox
    assert await enter(world, sandbox, 49983) is sandbox


async def test_without_public_traffic_a_token_is_asked_for_except_by_envd() -> None:
    world = World()
    sandbox = await create(world, network=PRIVATE)
    assert await enter(world, sandbox) is ProxyKind.TRAFFIC_TOKEN_MISSING
    assert await enter(world, sandbox, traffic="") is ProxyKind.TRAFFIC_TOKEN_MISSING
    assert await enter(world, sandbox, traffic="x") is ProxyKind.TRAFFIC_TOKEN_INVALID
    assert await enter(world, sandbox, traffic=sandbox.traffic_access_token) is sandbox
    assert await enter(world, sandbox, 49983) is sandbox


@pytest.mark.parametrize("options", [{}, {"auto_resume": True, "memory": False}])
async def test_a_paused_sandbox_that_may_not_wake_is_not_found(options: dict[str, bool]) -> None:
    world = World()
    sandbox = await paused(world, **options)
    assert await enter(world, sandbox) is ProxyKind.SANDBOX_NOT_FOUND
    assert sandbox.state is State.PAUSED


async def test_traffic_wakes_for_the_time_given_at_creation() -> None:
    world = World()
    sandbox = await create(world, auto_resume=True, timeout_s=600)
    world.backend.sandboxes.changes.set_timeout(world.team, sandbox.sandbox_id, timeout_s=1000)
    await world.backend.sandboxes.pause(world.team, sandbox.sandbox_id)
    assert await enter(world, sandbox) is sandbox
    assert sandbox.end_at_ns - world.clock.now_ns() == 600 * SECOND_NS


async def test_traffic_wakes_for_five_minutes_at_least() -> None:
    world = World()
    sandbox = await paused(world, auto_resume=True, timeout_s=10)
    assert await enter(world, sandbox) is sandbox
    assert sandbox.end_at_ns - world.clock.now_ns() == 300 * SECOND_NS


async def test_waking_asks_for_the_tokens_that_guard_the_port() -> None:
    world = World()
    sandbox = await paused(world, auto_resume=True, network=PRIVATE)
    assert await enter(world, sandbox) is ProxyKind.RESUME_DENIED
    assert await enter(world, sandbox, traffic="x") is ProxyKind.RESUME_DENIED
    assert await enter(world, sandbox, 49983, access="x") is ProxyKind.RESUME_DENIED
    assert sandbox.state is State.PAUSED
    assert await enter(world, sandbox, 49983, access=sandbox.envd_access_token) is sandbox


async def test_a_secure_sandbox_with_public_traffic_wakes_without_a_token() -> None:
    world = World()
    sandbox = await paused(world, auto_resume=True)
    assert await enter(world, sandbox) is sandbox


async def test_a_blocked_teams_sandbox_does_not_wake() -> None:
    world = World()
    sandbox = await paused(world, auto_resume=True)
    world.team.blocked = True
    assert await enter(world, sandbox) is ProxyKind.RESUME_DENIED


async def test_waking_keeps_to_the_teams_limit() -> None:
    world = World(ControlSettings(concurrent_sandboxes=1))
    sandbox = await paused(world, auto_resume=True)
    await create(world)
    assert await enter(world, sandbox) is ProxyKind.TEAM_LIMIT


async def test_requests_during_a_pause_are_held_and_then_wake_it_once() -> None:
    world = World()
    sandbox = await create(world, auto_resume=True)
    gate = world.runtime.gate("pause")
    pausing = asyncio.create_task(world.backend.sandboxes.pause(world.team, sandbox.sandbox_id))
    await gate.reached.wait()
    held = [asyncio.create_task(enter(world, sandbox)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in held)
    gate.open()
    await pausing
    assert await asyncio.gather(*held) == [sandbox] * 3
    assert world.runtime.guests[sandbox.sandbox_id].steps.count("resume") == 1


async def test_a_pause_that_takes_too_long_is_told_to_who_waits() -> None:
    world = World(make_patience=lambda: LimitedPatience(0.01))
    sandbox = await create(world, auto_resume=True)
    gate = world.runtime.gate("pause")
    pausing = asyncio.create_task(world.backend.sandboxes.pause(world.team, sandbox.sandbox_id))
    await gate.reached.wait()
    assert await enter(world, sandbox) is ProxyKind.STILL_TRANSITIONING
    gate.open()
    await pausing
    assert await enter(world, sandbox) is sandbox


async def test_so_is_one_pause_after_the_other() -> None:
    class Restless(Endless):
        """Each pause ends only when somebody waits for it, and the next has begun by then."""

        async def outlast(self, done: Event) -> bool:
            gates[-1].open()
            await super().outlast(done)
            await world.backend.sandboxes.connect(world.team, sandbox.sandbox_id, timeout_s=60)
            await pause_again()
            return True

    async def pause_again() -> None:
        gates.append(world.runtime.gate("pause"))
        pause = world.backend.sandboxes.pause(world.team, sandbox.sandbox_id)
        pauses.append(asyncio.create_task(pause))
        await gates[-1].reached.wait()

    world = World(make_patience=Restless)
    sandbox = await create(world, auto_resume=True)
    gates: list[Gate] = []
    pauses: list[asyncio.Task[None]] = []
    await pause_again()
    assert await enter(world, sandbox) is ProxyKind.STILL_TRANSITIONING
    gates[-1].open()
    await asyncio.gather(*pauses)


async def test_without_auto_resume_a_request_during_a_pause_is_not_found() -> None:
    world = World()
    sandbox = await create(world)
    gate = world.runtime.gate("pause")
    pausing = asyncio.create_task(world.backend.sandboxes.pause(world.team, sandbox.sandbox_id))
    await gate.reached.wait()
    assert await enter(world, sandbox) is ProxyKind.SANDBOX_NOT_FOUND
    gate.open()
    await pausing


async def test_a_failed_start_looks_like_a_missing_sandbox() -> None:
    world = World()
    sandbox = await paused(world, auto_resume=True)
    world.runtime.failures["resume"] = OSError("no")
    assert await enter(world, sandbox) is ProxyKind.SANDBOX_NOT_FOUND


async def test_a_sandbox_is_found_by_its_token_and_by_a_signature() -> None:
    world = World()
    sandboxes = world.backend.sandboxes
    first, second = await create(world), await create(world)
    assert first.envd_access_token
    assert second.envd_access_token
    assert sandboxes.find_by_access_token(second.envd_access_token) == second.sandbox_id
    signature = sign(
        path="a.txt", operation="read", username="user", token=first.envd_access_token,
        expiration=None,
    )  # fmt: skip
    assert sandboxes.find_by_signature("a.txt", "read", "user", signature, None) == first.sandbox_id
    assert sandboxes.find_by_signature("b.txt", "read", "user", signature, None) is None
    await sandboxes.kill(world.team, second.sandbox_id)
    assert sandboxes.find_by_access_token(second.envd_access_token) is None


@pytest.mark.parametrize("on_timeout", ["kill", "pause"])
async def test_a_machine_that_died_takes_its_sandbox_along(on_timeout: str) -> None:
    world = World()
    sandbox = await create(world, auto_pause=on_timeout == "pause")
    other = await create(world)
    world.runtime.guests[sandbox.sandbox_id].die()
    assert await enter(world, sandbox) is ProxyKind.SANDBOX_NOT_FOUND
    await world.backend.sandboxes.run_due()
    assert list(world.runtime.guests) == [other.sandbox_id]
    assert [record.sandbox for record in world.backend.sandboxes.records()] == [other]


async def test_one_that_died_while_paused_does_too() -> None:
    world = World(ControlSettings(concurrent_sandboxes=1))
    sandbox = await paused(world, auto_resume=True)
    world.runtime.guests[sandbox.sandbox_id].die()
    assert world.next_deadline_ns() == world.clock.now_ns()
    await world.backend.sandboxes.run_due()
    assert await enter(world, sandbox) is ProxyKind.SANDBOX_NOT_FOUND
    assert list(world.backend.sandboxes.records()) == []
    again = await create(world)
    assert await enter(world, again) is again


async def test_an_earlier_boots_end_does_not_matter() -> None:
    world = World()
    sandbox = await paused(world, memory=False)
    earlier = world.runtime.guests[sandbox.sandbox_id]
    await world.backend.sandboxes.connect(world.team, sandbox.sandbox_id, timeout_s=60)
    earlier.die()
    assert await world.backend.sandboxes.run_due() == []
    assert await enter(world, sandbox) is sandbox
