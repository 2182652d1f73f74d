"""Templates that users define: what they take over from their base, and when they are made."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fake_e2b.backend.admission import CreateRequest
from fake_e2b.backend.template_builds import TemplateBuilds
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.ports import LayerID
from fake_e2b.domain.recipe import Definition, File, Folder, Recipe
from fake_e2b.domain.sandbox import Sandbox
from tests.helpers.memory import World


class Kitchen:
    """Makes layers in memory."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.made: list[tuple[Recipe, LayerID | None]] = []
        self.failure: OSError | None = None

    async def make(self, recipe: Recipe, base: LayerID | None) -> LayerID:
        await self.world.runtime.step("make")
        if self.failure is not None:
            raise self.failure
        self.made.append((recipe, base))
        layer_id = LayerID(f"made {len(self.made)}")
        self.world.runtime.layers.add(layer_id)
        return layer_id


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def kitchen(world: World) -> Kitchen:
    kitchen = Kitchen(world)
    world.backend.builds._make_layer = kitchen.make
    return kitchen


def define(
    world: World,
    name: str,
    base: str = "base",
    *items: Any,
    lasting: bool = False,
    **options: Any,
) -> None:
    builds: TemplateBuilds = world.backend.builds
    definition = Definition(name, Recipe(base, items), **options)
    builds.define(world.team, definition, lasting=lasting)


async def create(world: World, template: str) -> Sandbox:
    return await world.backend.sandboxes.create(world.team, CreateRequest(template, 300))


def base_of(world: World, sandbox: Sandbox) -> LayerID | None:
    return world.runtime.guests[sandbox.sandbox_id].base


async def test_it_is_made_on_first_use_and_once(world: World, kitchen: Kitchen) -> None:
    define(world, "mine", "base", File("a", "", b"1"))
    assert kitchen.made == []
    gate = world.runtime.gate("make")
    both = [asyncio.create_task(create(world, "mine")) for _ in range(2)]
    await gate.reached.wait()
    gate.open()
    first, second = await asyncio.gather(*both)
    assert len(kitchen.made) == 1
    assert base_of(world, first) == base_of(world, second) == LayerID("made 1")


async def test_after_a_reset_all_is_as_at_the_start(world: World, kitchen: Kitchen) -> None:
    define(world, "mine", "base", File("a", "", b"1"), lasting=True)
    sandbox = await create(world, "mine")
    assert base_of(world, sandbox) == LayerID("made 1")
    define(world, "mine", "base", File("a", "", b"2"))
    define(world, "other")
    assert base_of(world, await create(world, "mine")) == LayerID("made 2")
    snapshots = world.backend.sandboxes.snapshots
    await snapshots.create(world.team, sandbox.sandbox_id, name="mine:snap")
    for _ in range(2):
        await world.backend.reset()
        assert world.runtime.layers == {LayerID("made 1")}
        assert base_of(world, await create(world, "mine")) == LayerID("made 1")
        for name in ("other", "mine:snap"):
            with pytest.raises(ControlError):
                await create(world, name)
        await world.backend.reset()
        await snapshots.delete_template(world.team, "mine")


async def test_one_that_cannot_be_made_is_tried_again(world: World, kitchen: Kitchen) -> None:
    define(world, "mine", "base", File("a", "", b"1"))
    kitchen.failure = OSError(28, "No space left on device")
    with pytest.raises(ControlError) as refused:
        await create(world, "mine")
    assert refused.value.kind is ControlKind.TEMPLATE_NOT_READY
    assert "No space left" in str(refused.value.fields["reason"])
    kitchen.failure = None
    assert await create(world, "mine")


async def test_what_is_taken_over(world: World, kitchen: Kitchen) -> None:
    define(
        world,
        "one",
        "code-interpreter-v1",
        File("a", "", b"1"),
        user="root",
        workdir="/srv/app",
        env_vars=(("A", "1"), ("B", "1")),
        start_command="serve",
        memory_limit_mb=256,
    )
    define(world, "two", "one", Folder("d", ""), user="user", env_vars=(("B", "2"),))
    two = await create(world, "two")
    assert [item.path for recipe, _ in kitchen.made for item in recipe.items] == [
        "/srv/app/a",
        "/srv/app/d",
    ]
    assert [item.owner for recipe, _ in kitchen.made for item in recipe.items] == ["root", "user"]
    assert kitchen.made[1][1] == LayerID("made 1")
    setup = two.setup
    assert setup.interpreter
    assert (setup.user, setup.workdir) == ("user", "/srv/app")
    assert dict(setup.env_vars) == {"A": "1", "B": "2"}
    # What was inherited runs as it did there.
    assert setup.start is not None
    assert (setup.start.command, setup.start.user) == ("serve", "root")
    assert dict(setup.start.env_vars) == {"A": "1", "B": "1"}
    one = await create(world, "one")
    assert one.limits.memory_mb == 256
    assert world.runtime.guests[one.sandbox_id].limits == one.limits


async def test_tags_are_builds_of_one_template(world: World, kitchen: Kitchen) -> None:
    define(world, "mine")
    define(world, "mine:v2", user="root")
    first, second = await create(world, "mine"), await create(world, "mine:v2")
    assert first.template_id == second.template_id
    assert (first.setup.user, second.setup.user) == ("user", "root")


async def test_a_base_that_is_not_there(world: World, kitchen: Kitchen) -> None:
    with pytest.raises(UsageError, match="no template 'nothing'"):
        define(world, "mine", "nothing")
    sandbox = await create(world, "base")
    snapshots = world.backend.sandboxes.snapshots
    await snapshots.create(world.team, sandbox.sandbox_id, name="snap")
    define(world, "mine", "snap")
    await snapshots.delete_template(world.team, "snap")
    with pytest.raises(ControlError) as refused:
        await create(world, "mine")
    assert refused.value.kind is ControlKind.TEMPLATE_NOT_READY
