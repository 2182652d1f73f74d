"""Lists that show what was a while ago."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from e2b import AsyncSandbox, Sandbox, SandboxState

from fake_e2b import FakeE2B, effects


@pytest.fixture(scope="module")
def server() -> Iterator[FakeE2B]:
    with FakeE2B(runtime="local", clock="manual") as fake:
        yield fake


def _listed() -> dict[str, SandboxState]:
    return {each.sandbox_id: each.state for each in Sandbox.list().next_items()}


def test_created_ones_are_missing_and_killed_ones_still_there(fake: FakeE2B) -> None:
    old = Sandbox.create()
    fault = fake.faults.add("listSandboxes", effects.ListLags(5))
    new = Sandbox.create()
    assert _listed() == {old.sandbox_id: SandboxState.RUNNING}
    fake.clock.advance(seconds=3)
    old.kill()
    new.pause()
    fake.clock.advance(seconds=2)
    assert _listed() == {
        old.sandbox_id: SandboxState.RUNNING,
        new.sandbox_id: SandboxState.RUNNING,
    }
    fake.clock.advance(seconds=3)
    assert _listed() == {new.sandbox_id: SandboxState.PAUSED}
    assert fault.hits == 3
    assert new.get_info().state is SandboxState.PAUSED


async def test_async_lists_lag_by_chance(fake: FakeE2B) -> None:
    fault = fake.faults.add("listSandboxes", effects.ListLags(60), every=2)
    await AsyncSandbox.create()
    counts = [len(await AsyncSandbox.list().next_items()) for _ in range(4)]
    assert counts == [1, 0, 1, 0]
    fault.remove()
    assert len(await AsyncSandbox.list().next_items()) == 1


def test_pages_and_filters_are_of_that_time_too(fake: FakeE2B) -> None:
    for number in range(3):
        Sandbox.create(metadata={"number": str(number)})
        fake.clock.advance(seconds=1)
    fake.faults.add("listSandboxes", effects.ListLags(10))
    for sandbox in fake.sandboxes():
        Sandbox.kill(sandbox.sandbox_id)
    pages = Sandbox.list(limit=2)
    first, second = pages.next_items(), pages.next_items()
    assert [each.metadata["number"] for each in first + second] == ["2", "1", "0"]
    assert not pages.has_next


def test_two_rules_remember_as_long_as_the_longer(fake: FakeE2B) -> None:
    long = fake.faults.add("listSandboxes", effects.ListLags(10), nth=1)
    short = fake.faults.add("listSandboxes", effects.ListLags(1))
    Sandbox.create()
    fake.clock.advance(seconds=5)
    assert len(_listed()) == 0
    assert len(_listed()) == 1
    long.remove()
    Sandbox.create()
    assert len(_listed()) == 1
    short.remove()
    assert len(_listed()) == 2
