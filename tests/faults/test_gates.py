"""Requests that are held until a test lets them go."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from e2b import AsyncSandbox, Sandbox

from fake_e2b import FakeE2B
from fake_e2b.testing import GateTimeoutError


def test_a_create_is_held_before_its_work(fake: FakeE2B) -> None:
    with ThreadPoolExecutor(1) as pool, fake.gates.hold("createSandbox") as gate:
        creating = pool.submit(Sandbox.create)
        [asked] = gate.wait_arrived()
        assert asked.operation == "createSandbox"
        assert not fake.sandboxes()
        assert gate.release() == 1
        assert creating.result().is_running()


def test_a_create_is_held_after_its_work(fake: FakeE2B) -> None:
    with ThreadPoolExecutor(1) as pool, fake.gates.hold("createSandbox", at="done") as gate:
        creating = pool.submit(Sandbox.create)
        gate.wait_arrived()
        assert len(fake.sandboxes()) == 1
        assert not creating.done()
        gate.release()
        assert creating.result().sandbox_id == fake.sandboxes()[0].sandbox_id


def test_output_is_held_at_a_frame(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    shown: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        with fake.gates.hold("Process.Start", at="frame=2", command="echo *") as gate:
            running = pool.submit(sandbox.commands.run, "echo hi", on_stdout=shown.append)
            gate.wait_arrived()
            assert sandbox.commands.run("true").exit_code == 0
            assert shown == []
        assert running.result().stdout == "hi\n"


async def test_from_async_code(fake: FakeE2B) -> None:
    async with fake.gates.hold("createSandbox") as gate:
        creating = asyncio.create_task(AsyncSandbox.create())
        await gate.arrived()
        assert not fake.sandboxes()
        gate.release()
        await (await creating).kill()


def test_one_at_a_time(fake: FakeE2B) -> None:
    with ThreadPoolExecutor(2) as pool, fake.gates.hold("createSandbox") as gate:
        creating = [pool.submit(Sandbox.create) for _ in range(2)]
        gate.wait_arrived(2)
        assert gate.release(1) == 1
        assert gate.held == 1
        assert gate.release() == 1
        assert len({each.result().sandbox_id for each in creating}) == 2


def test_a_reset_opens_every_gate(fake: FakeE2B) -> None:
    with ThreadPoolExecutor(1) as pool:
        gate = fake.gates.hold("listSandboxes")
        listing = pool.submit(lambda: Sandbox.list().next_items())
        gate.wait_arrived()
        assert [each.name for each in fake.gates.holding()] == [gate.name]
        fake.reset()
        assert listing.result() == []
    assert not fake.gates.list()


def test_what_never_comes_is_told_with_what_came(fake: FakeE2B) -> None:
    Sandbox.create().kill()
    with (
        fake.gates.hold("pauseSandbox") as gate,
        pytest.raises(GateTimeoutError, match=r"0 of 1 requests.*createSandbox \(201\), killSan"),
    ):
        gate.wait_arrived(timeout_s=0)
