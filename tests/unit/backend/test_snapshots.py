"""Snapshots and forks as the backend keeps them: states, names, tags, lists, ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fake_e2b.backend.admission import CreateRequest
from fake_e2b.backend.snapshots import Snapshot, SnapshotPage
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.sandbox import Sandbox, State
from tests.helpers.memory import World

K = ControlKind


async def create(world: World, template: str = "base", **options: Any) -> Sandbox:
    request = CreateRequest(**({"template": template, "timeout_s": 300} | options))
    return await world.backend.sandboxes.create(world.team, request)


async def snapshot(world: World, sandbox_id: str, name: str | None = None) -> Snapshot:
    return await world.backend.sandboxes.snapshots.create(world.team, sandbox_id, name=name)


def page(world: World, **options: Any) -> SnapshotPage:
    asked = {"sandbox_id": None, "name": None, "limit": 100, "after": None} | options
    return world.backend.sandboxes.snapshots.page(world.team, **asked)


def shown(world: World, **options: Any) -> list[str]:
    return [each.snapshot_id for each in page(world, **options).snapshots]


async def outcome(request: Any) -> Any:
    try:
        return await request
    except ControlError as error:
        return error.kind


class TestWhileItIsTaken:
    """Fact: control.states.snapshotting."""

    @pytest.fixture(params=["fork", "snapshot"])
    async def held(self, request: pytest.FixtureRequest) -> Any:
        """A world, a sandbox that is being snapshotted, and how to let it go on."""
        world = World()
        sandbox = await create(world)
        gate = world.runtime.gate("capture")
        if request.param == "fork":
            work: Any = world.backend.sandboxes.forks.fork(
                world.team, sandbox.sandbox_id, timeout_s=15, count=1
            )
        else:
            work = snapshot(world, sandbox.sandbox_id)
        task = asyncio.create_task(work)
        await gate.reached.wait()

        async def go_on() -> None:
            gate.open()
            await task
            assert sandbox.state is not State.SNAPSHOTTING

        return world, sandbox, go_on

    async def test_it_is_shown_and_in_no_list(self, held: Any) -> None:
        world, sandbox, go_on = held
        assert sandbox.state is State.SNAPSHOTTING
        assert world.backend.sandboxes.detail(world.team, sandbox.sandbox_id) is sandbox
        listing = world.backend.listing
        assert listing.running(world.team.team_id, None) == []
        end = sandbox.end_at_ns
        await go_on()
        assert sandbox in listing.running(world.team.team_id, None)
        assert sandbox.end_at_ns == end

    async def test_what_would_change_it_is_refused(self, held: Any) -> None:
        world, sandbox, go_on = held
        sandboxes, team, name = world.backend.sandboxes, world.team, sandbox.sandbox_id
        for call in (
            lambda: sandboxes.changes.set_timeout(team, name, timeout_s=9),
            lambda: sandboxes.changes.refresh(team, name, duration_s=9),
            lambda: sandboxes.changes.update_network(team, name, {}),
        ):
            with pytest.raises(ControlError) as refused:
                call()
            assert refused.value.kind is K.BEING_SNAPSHOTTED
        assert await outcome(sandboxes.resume(team, name, timeout_s=9)) is K.SNAPSHOT_IN_PROGRESS
        fork = sandboxes.forks.fork(team, name, timeout_s=9, count=1)
        assert await outcome(fork) is K.CANNOT_FORK
        await go_on()

    async def test_a_second_snapshot_is_refused_after_the_first(self, held: Any) -> None:
        world, sandbox, go_on = held
        second = asyncio.create_task(outcome(snapshot(world, sandbox.sandbox_id)))
        await asyncio.sleep(0)
        assert not second.done()
        await go_on()
        assert await second is K.CANNOT_SNAPSHOT

    @pytest.mark.parametrize(
        ("request_", "after"), [("pause", State.PAUSED), ("kill", None), ("connect", State.RUNNING)]
    )
    async def test_others_wait(self, held: Any, request_: str, after: State | None) -> None:
        world, sandbox, go_on = held
        options = {"timeout_s": 15} if request_ == "connect" else {}
        call = getattr(world.backend.sandboxes, request_)(world.team, sandbox.sandbox_id, **options)
        waiting = asyncio.create_task(call)
        await asyncio.sleep(0)
        assert not waiting.done()
        await go_on()
        await waiting
        left = {each.sandbox.sandbox_id: each.sandbox.state for each in sandboxes_of(world)}
        assert left.get(sandbox.sandbox_id) is after

    async def test_its_time_runs_out_afterwards(self, held: Any) -> None:
        world, sandbox, go_on = held
        advancing = asyncio.create_task(world.advance(301))
        await asyncio.sleep(0)
        assert sandbox.state is State.SNAPSHOTTING
        await go_on()
        assert await advancing == []
        assert [each.sandbox_id for each in await world.advance(0)] == [sandbox.sandbox_id]

    async def test_its_machines_end_is_noticed_afterwards(self, held: Any) -> None:
        world, sandbox, go_on = held
        guest = world.runtime.guests[sandbox.sandbox_id]
        guest.alive = False
        await go_on()
        guest.die()
        assert [each.sandbox_id for each in await world.advance(0)] == [sandbox.sandbox_id]


def sandboxes_of(world: World) -> list[Any]:
    return world.backend.sandboxes.records()


class TestForks:
    async def test_all_forks_share_one_capture(self) -> None:
        world = World()
        sandbox = await create(world)
        await world.backend.sandboxes.forks.fork(
            world.team, sandbox.sandbox_id, timeout_s=15, count=3
        )
        assert len(world.runtime.captured) == 1
        assert world.runtime.layers == set()
        guests = [world.runtime.guests[each.sandbox.sandbox_id] for each in sandboxes_of(world)]
        assert [guest.base for guest in guests[1:]] == world.runtime.captured * 3

    async def test_the_source_goes_on_when_it_fails(self) -> None:
        world = World()
        sandbox = await create(world)
        world.runtime.failures["capture"] = OSError(28, "No space left on device")
        fork = world.backend.sandboxes.forks.fork(
            world.team, sandbox.sandbox_id, timeout_s=15, count=1
        )
        assert await outcome(fork) is K.FORK_FAILED
        assert await outcome(snapshot(world, sandbox.sandbox_id)) is K.SNAPSHOT_FAILED
        assert sandbox.state is State.RUNNING
        assert world.runtime.guests[sandbox.sandbox_id].steps[-1] == "resume"
        assert shown(world) == []


class TestNames:
    """Fact: control.snapshots.create."""

    async def test_without_a_name(self) -> None:
        world = World()
        made = await snapshot(world, (await create(world)).sandbox_id)
        assert made.snapshot_id == f"{made.template.template_id}:default"
        assert made.template.names == []
        assert await create(world, made.snapshot_id) is not None
        assert await create(world, made.template.template_id) is not None

    @pytest.mark.parametrize(
        ("name", "snapshot_id"),
        [
            ("x", "acme/x:default"),
            ("acme/x", "acme/x:default"),
            ("X:V2", "acme/x:v2"),
            ("x:default", "acme/x:default"),
        ],
    )
    async def test_with_a_name(self, name: str, snapshot_id: str) -> None:
        world = World()
        made = await snapshot(world, (await create(world)).sandbox_id, name)
        assert (made.snapshot_id, made.template.names) == (snapshot_id, ["acme/x"])
        sandbox = await create(world, snapshot_id, metadata={"a": "b"})
        assert world.runtime.guests[sandbox.sandbox_id].base in world.runtime.layers
        assert (sandbox.template_id, sandbox.alias) == (made.template.template_id, "x")
        assert sandbox.metadata == {"a": "b"}

    async def test_a_name_again_is_one_more_build(self) -> None:
        world = World()
        sandbox = await create(world)
        first = await snapshot(world, sandbox.sandbox_id, "x:v1")
        again = await snapshot(world, sandbox.sandbox_id, "x")
        assert again.template is first.template
        assert list(first.template.builds) == ["v1", "default"]
        await snapshot(world, sandbox.sandbox_id, "x:v1")
        assert len(world.runtime.layers) == 3  # builds can be named by their IDs too
        assert shown(world) == ["acme/x:v1"]

    @pytest.mark.parametrize(
        ("name", "kind"),
        [("a b", K.BAD_SNAPSHOT_NAME), ("x:", K.BAD_SNAPSHOT_NAME), ("no/x", K.FOREIGN_NAMESPACE)],
    )
    async def test_bad_names(self, name: str, kind: ControlKind) -> None:
        world = World()
        assert await outcome(snapshot(world, (await create(world)).sandbox_id, name)) is kind
        with pytest.raises(ControlError) as refused:
            page(world, name=name)
        assert refused.value.kind is kind

    async def test_who_cannot_be_snapshotted(self) -> None:
        world = World()
        sandbox = await create(world)
        assert await outcome(snapshot(world, "i" + "0" * 20)) is K.SANDBOX_NOT_FOUND
        assert await outcome(snapshot(world, "no id")) is K.INVALID_SANDBOX_ID
        await world.backend.sandboxes.pause(world.team, sandbox.sandbox_id)
        assert await outcome(snapshot(world, sandbox.sandbox_id)) is K.SANDBOX_NOT_FOUND


class TestList:
    """Fact: control.snapshots.list."""

    async def test_pages_and_filters(self) -> None:
        world = World()
        one, other = await create(world), await create(world)
        names = []
        for name, source in (("a", one), ("b:v1", one), (None, other)):
            world.clock.move_to(world.clock.now_ns() + 1)
            names.append((await snapshot(world, source.sandbox_id, name)).snapshot_id)
        newest_first = names[::-1]
        assert shown(world) == newest_first
        first = page(world, limit=2)
        assert first.last is not None
        after = (first.last.created_at_ns, first.last.template_id)
        assert [each.snapshot_id for each in first.snapshots] == newest_first[:2]
        assert shown(world, limit=2, after=after) == newest_first[2:]
        assert shown(world, sandbox_id=one.sandbox_id) == names[1::-1]
        assert shown(world, sandbox_id=f"{other.sandbox_id}-client") == names[2:]
        assert shown(world, name="b") == ["acme/b:v1"]
        assert shown(world, name="acme/b:v1") == ["acme/b:v1"]
        assert shown(world, name="b:default") == []
        assert shown(world, name="unknown") == []
        with pytest.raises(ControlError) as refused:
            page(world, sandbox_id="no id")
        assert refused.value.kind is K.INVALID_SANDBOX_ID

    async def test_another_team_sees_none(self) -> None:
        world = World()
        made = await snapshot(world, (await create(world)).sandbox_id, "x")
        world.team = world.backend.teams.add_team("others")
        assert shown(world) == []
        assert await outcome(create(world, made.snapshot_id)) is K.TEMPLATE_NOT_FOUND
        delete = world.backend.sandboxes.snapshots.delete_template
        assert await outcome(delete(world.team, made.snapshot_id)) is K.TEMPLATE_NOT_FOUND


class TestEnd:
    """Fact: control.templates.delete."""

    async def test_deleting_takes_all_tags(self) -> None:
        world = World()
        sandbox = await create(world)
        await snapshot(world, sandbox.sandbox_id, "x:v1")
        await snapshot(world, sandbox.sandbox_id, "x:v2")
        delete = world.backend.sandboxes.snapshots.delete_template
        await delete(world.team, "acme/x:v1")
        assert shown(world) == []
        assert world.runtime.layers == set()
        assert await outcome(delete(world.team, "acme/x:v1")) is K.TEMPLATE_NOT_FOUND
        assert await outcome(delete(world.team, "base")) is K.TEMPLATE_FORBIDDEN
        assert await outcome(delete(world.team, "a b")) is K.BAD_TEMPLATE_ID

    async def test_one_in_use_stays(self) -> None:
        world = World()
        source = await create(world)
        made = await snapshot(world, source.sandbox_id, "x")
        user = await create(world, "x")
        delete = world.backend.sandboxes.snapshots.delete_template
        for _ in range(2):
            assert await outcome(delete(world.team, "x")) is K.TEMPLATE_IN_USE
            await outcome(world.backend.sandboxes.pause(world.team, user.sandbox_id))
        await world.backend.sandboxes.kill(world.team, user.sandbox_id)
        await delete(world.team, made.snapshot_id)

    async def test_a_reset_forgets_them(self) -> None:
        world = World()
        await snapshot(world, (await create(world)).sandbox_id, "x")
        await world.backend.reset()
        assert world.runtime.layers == set()
        assert shown(world) == []
        assert await outcome(create(world, "x")) is K.TEMPLATE_NOT_FOUND
