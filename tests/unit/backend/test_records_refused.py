"""Records that cannot be written, as on a full disk: what is refused, and what goes on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from fake_e2b.backend.build_reservations import Wanted
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.event import EventType
from fake_e2b.domain.ids import TeamID
from fake_e2b.domain.records import Kept, NoRecords
from fake_e2b.domain.sandbox import State
from fake_e2b.domain.team import Team
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


def test_a_secret_that_cannot_be_written_has_its_value_of_before(world: World, disk: Disk) -> None:
    secrets, team = world.backend.secrets, world.team
    secrets.create(team, "token", "one", {"a": "b"})
    disk.full = True
    with pytest.raises(OSError, match="full"):
        secrets.update(team, "token", "two", {})
    with pytest.raises(OSError, match="full"):
        secrets.delete(team, "token")
    assert secrets.value(team.team_id, "token") == "one"
    kept = secrets.get(team, "token")
    assert (kept.version, kept.metadata) == (1, {"a": "b"})


def test_keys_that_cannot_be_written_are_not_made_and_keep_their_names(
    world: World, disk: Disk
) -> None:
    keys, accounts, team = world.backend.api_keys, world.backend.accounts, world.team
    made = keys.create(team, "made", None)
    before = [(each.key, each.name) for each in keys.of(team)]
    tokens = accounts.access_tokens()
    disk.full = True
    with pytest.raises(OSError, match="full"):
        keys.create(team, "other", None)
    with pytest.raises(OSError, match="full"):
        keys.rename(team, made.key_id, "renamed")
    with pytest.raises(OSError, match="full"):
        keys.delete(team, made.key_id)
    with pytest.raises(OSError, match="full"):
        accounts.make_access_token("other")
    assert [(each.key, each.name) for each in keys.of(team)] == before
    assert accounts.access_tokens() == tokens


def test_a_webhook_that_cannot_be_written_is_as_it_was(world: World, disk: Disk) -> None:
    webhooks, team = world.backend.webhooks, world.team
    made = webhooks.create(
        team,
        name="n",
        url="http://127.0.0.1/",
        events=[EventType.CREATED],
        enabled=True,
        secret="s" * 32,
    )
    before = replace(made)
    disk.full = True
    with pytest.raises(OSError, match="full"):
        webhooks.update(
            team,
            made.webhook_id,
            name="m",
            url="http://127.0.0.1/other",
            events=None,
            enabled=False,
            secret=None,
        )
    assert webhooks.get(team, made.webhook_id) == before


async def test_a_template_that_cannot_be_written_is_as_it_was(world: World, disk: Disk) -> None:
    team, templates = world.team, world.backend.templates
    sandbox = await create(world)
    snapshot = await world.backend.sandboxes.snapshots.create(team, sandbox.sandbox_id, name="mine")
    template = snapshot.template
    template.is_snapshot = False  # what may be shown to everyone
    layers = set(world.runtime.layers)
    disk.full = True
    with pytest.raises(OSError, match="full"):
        world.backend.tags.assign(team, "mine", ["v1"])
    with pytest.raises(OSError, match="full"):
        world.backend.catalog.update(team, "mine", public=True, claims_bare_name=True)
    with pytest.raises(OSError, match="full"):
        world.backend.build_reservations.request(team, Wanted("fresh"))
    with pytest.raises(ControlError) as refused:
        await world.backend.sandboxes.snapshots.create(team, sandbox.sandbox_id, name="mine:v2")
    assert refused.value.kind is ControlKind.SNAPSHOT_FAILED
    assert world.runtime.layers == layers
    assert list(template.tags) == ["default"]
    assert not template.public
    assert templates.owned(team, "fresh") is None
    with pytest.raises(ControlError):
        templates.resolve(Team(TeamID("other"), "other"), "mine")
    disk.full = False
    world.backend.build_reservations.request(team, Wanted("fresh"))
