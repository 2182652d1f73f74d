"""Records that cannot be written, as on a full disk: what is refused, and what goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.records import Kept, NoRecords
from fake_e2b.domain.sandbox import State
from tests.helpers.memory import World
from tests.unit.backend.test_sandbox_states import create, kill, pause, resume


class Disk(NoRecords):
    """Takes what is written until it is full."""

    last = True
    full = False

    def _write(self) -> None:
        if self.full:
            raise OSError("the disk is full")

    def keep(self, thing: Kept) -> None:
        self._write()

    def forget(self, thing: Kept) -> None:
        self._write()

    def put(self, kind: str, key: str, value: Any) -> None:
        self._write()


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def world(disk: Disk) -> World:
    return World(records=disk)


async def test_a_pause_that_cannot_be_written_ends_the_sandbox(world: World, disk: Disk) -> None:
    sandbox = await create(world)
    disk.full = True
    with pytest.raises(ControlError) as refused:
        await asyncio.wait_for(pause(world, sandbox.sandbox_id), 5)
    assert refused.value.kind is ControlKind.PAUSE_FAILED
    assert world.backend.sandboxes.record(sandbox.sandbox_id) is None
    assert world.backend.sandboxes._store.shelf(world.team.team_id).slots == 0


async def test_sandboxes_come_and_go_though_their_history_is_lost(world: World, disk: Disk) -> None:
    paused, running = await create(world), await create(world)
    await pause(world, paused.sandbox_id)
    disk.full = True
    await kill(world, (await create(world)).sandbox_id)
    await kill(world, running.sandbox_id)
    await kill(world, paused.sandbox_id)
    assert list(world.backend.sandboxes.records()) == []
    assert world.backend.sandboxes._store.shelf(world.team.team_id).slots == 0


async def test_one_that_cannot_be_resumed_is_kept_as_it_was(world: World, disk: Disk) -> None:
    sandbox = await create(world)
    await pause(world, sandbox.sandbox_id)
    disk.full = True
    with pytest.raises(ControlError):
        await resume(world, sandbox.sandbox_id)
    assert sandbox.sandbox_id in world.runtime.preserved
    disk.full = False
    assert (await resume(world, sandbox.sandbox_id)).state is State.RUNNING


async def test_a_volume_that_cannot_be_written_leaves_its_name_free(
    world: World, disk: Disk
) -> None:
    disk.full = True
    with pytest.raises(ControlError) as refused:
        await world.backend.volumes.create(world.team, "data")
    assert refused.value.kind is ControlKind.VOLUME_FAILED
    assert world.runtime.volumes == set()
    disk.full = False
    assert (await world.backend.volumes.create(world.team, "data")).name == "data"
