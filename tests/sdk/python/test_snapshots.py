"""Snapshots by the published SDK, on both runtimes."""

from __future__ import annotations

import httpx
import pytest
from e2b import AsyncSandbox, Sandbox
from e2b.exceptions import NotFoundException, SandboxException

from fake_e2b import FakeE2B


def test_sandboxes_start_from_a_snapshot(fake: FakeE2B) -> None:
    source = Sandbox.create(metadata={"who": "a"}, envs={"COLOUR": "red"})
    source.commands.run("mkdir d && echo one > d/a && ln d/a d/b && rm .profile")
    sleeper = source.commands.run("sleep 1000", background=True)
    end = source.get_info().end_at
    made = source.create_snapshot()
    assert made.names == []
    assert source.get_info().end_at == end
    assert [each.pid for each in source.commands.list()] == [sleeper.pid]
    source.files.write("d/a", "two")
    source.kill()

    first, second = Sandbox.create(made.snapshot_id), Sandbox.create(made.snapshot_id)
    for sandbox in (first, second):
        assert sandbox.files.read("d/b") == "one\n"
        assert not sandbox.files.exists(".profile")
        assert sandbox.commands.list() == []
        assert sandbox.get_info().metadata == {}
        assert sandbox.commands.run("echo -$COLOUR-").stdout == "--\n"
    first.files.write("d/b", "three")
    assert second.files.read("d/b") == "one\n"
    # And on: a snapshot of what started from one.
    again = Sandbox.create(first.create_snapshot().snapshot_id)
    assert again.files.read("d/a") == "three"


def test_names_lists_and_deletion(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    named = sandbox.create_snapshot("mine:v1")
    slug = named.snapshot_id.partition("/")[0]
    plain = sandbox.create_snapshot()
    assert (named.snapshot_id, named.names) == (f"{slug}/mine:v1", [f"{slug}/mine"])
    pages = Sandbox.list_snapshots(limit=1)
    listed = []
    while pages.has_next:
        listed += pages.next_items()
    assert [each.snapshot_id for each in listed] == [plain.snapshot_id, named.snapshot_id]
    of_this = sandbox.list_snapshots(name="mine").next_items()
    assert [each.snapshot_id for each in of_this] == [named.snapshot_id]
    assert Sandbox.list_snapshots(sandbox_id="i" + "0" * 20).next_items() == []

    user = Sandbox.create("mine:v1")
    with pytest.raises(SandboxException, match=r"^400: cannot delete template .* running"):
        Sandbox.delete_snapshot(named.snapshot_id)
    user.kill()
    assert Sandbox.delete_snapshot(named.snapshot_id)
    assert not Sandbox.delete_snapshot(named.snapshot_id)
    with pytest.raises(SandboxException, match=r"^404: template '.*/mine' not found"):
        Sandbox.create(named.snapshot_id)


def test_who_cannot_be_snapshotted(fake: FakeE2B) -> None:
    with pytest.raises(NotFoundException):
        Sandbox.create_snapshot("i" + "0" * 20)
    sandbox = Sandbox.create()
    with pytest.raises(SandboxException, match=r"^400: Invalid name: invalid template ID: a b"):
        sandbox.create_snapshot("a b")
    with pytest.raises(SandboxException, match=r"^400: namespace 'no' must match your team"):
        sandbox.create_snapshot("no/x")
    sandbox.pause()
    with pytest.raises(NotFoundException):
        sandbox.create_snapshot()


def test_the_body_is_needed(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    url = f"{fake.url}/sandboxes/{sandbox.sandbox_id}/snapshots"
    headers = {"X-API-Key": fake.api_key}
    assert httpx.post(url, headers=headers).status_code == 400
    assert httpx.post(url, headers=headers, json={}).status_code == 201


async def test_async(fake: FakeE2B) -> None:
    source = await AsyncSandbox.create()
    await source.files.write("a", "1")
    made = await source.create_snapshot("mine")
    sandbox = await AsyncSandbox.create("mine")
    assert await sandbox.files.read("a") == "1"
    listed = await source.list_snapshots().next_items()
    assert [each.snapshot_id for each in listed] == [made.snapshot_id]
    await sandbox.kill()
    assert await AsyncSandbox.delete_snapshot(made.snapshot_id)
