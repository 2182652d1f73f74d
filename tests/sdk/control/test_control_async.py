"""The control plane under the published Python SDK, asynchronous half."""

from __future__ import annotations

import asyncio

import pytest
from e2b import AsyncSandbox, SandboxState
from e2b.exceptions import NotFoundException, SandboxNotFoundException

from fake_e2b.testing import FakeE2B


async def test_a_sandboxs_life(fake: FakeE2B) -> None:
    sandbox = await AsyncSandbox.create(metadata={"a": "b"})
    assert (await sandbox.get_info()).state is SandboxState.RUNNING
    assert await sandbox.pause() is True
    assert (await sandbox.get_info()).state is SandboxState.PAUSED
    again = await AsyncSandbox.connect(sandbox.sandbox_id)
    assert (await again.get_info()).state is SandboxState.RUNNING
    assert await again.kill() is True
    with pytest.raises(SandboxNotFoundException):
        await sandbox.get_info()


async def test_two_pauses_at_once_both_succeed_or_find_it_paused(fake: FakeE2B) -> None:
    sandbox = await AsyncSandbox.create()
    results = await asyncio.gather(sandbox.pause(), sandbox.pause())
    assert True in results
    assert (await sandbox.get_info()).state is SandboxState.PAUSED


async def test_a_kill_during_a_pause_wins(fake: FakeE2B) -> None:
    sandbox = await AsyncSandbox.create()
    paused, killed = await asyncio.gather(sandbox.pause(), sandbox.kill(), return_exceptions=True)
    assert killed is True
    assert paused is True or isinstance(paused, NotFoundException)
    with pytest.raises(SandboxNotFoundException):
        await sandbox.get_info()


async def test_connects_at_once_share_one_start(fake: FakeE2B) -> None:
    sandbox = await AsyncSandbox.create()
    await sandbox.pause()
    handles = await asyncio.gather(*(AsyncSandbox.connect(sandbox.sandbox_id) for _ in range(3)))
    assert {handle.sandbox_id for handle in handles} == {sandbox.sandbox_id}
    assert (await sandbox.get_info()).state is SandboxState.RUNNING


async def test_pages_of_a_list(fake: FakeE2B) -> None:
    made = [await AsyncSandbox.create(timeout=3600) for _ in range(3)]
    pages = AsyncSandbox.list(limit=2)
    found = []
    while pages.has_next:
        found += [each.sandbox_id for each in await pages.next_items()]
    # All start at the same instant: the ID decides.
    assert found == sorted(each.sandbox_id for each in made)
