"""Sandboxes that die, by the published SDK: what its users' code sees."""

from __future__ import annotations

import pytest
from e2b import (
    AsyncSandbox,
    Sandbox,
    SandboxNotFoundException,
    SandboxNotRunningException,
)

from fake_e2b import FakeE2B, UsageError, effects
from tests.helpers.waiting import wait_until


def test_it_dies_in_the_middle_of_a_command(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    fault = fake.faults.add("Process.Start", effects.SandboxDies(), command="echo*", at="frame=3")
    shown: list[str] = []
    with pytest.raises(SandboxNotRunningException, match="killed or reached its end of life"):
        sandbox.commands.run(
            "echo one; echo two >&2; sleep 600",
            on_stdout=shown.append,
            on_stderr=shown.append,
        )
    assert len(shown) == 1
    assert fault.hits == 1
    assert not sandbox.is_running()
    wait_until(lambda: not fake.sandboxes())


async def test_it_dies_in_the_middle_of_an_async_command(fake: FakeE2B) -> None:
    sandbox = await AsyncSandbox.create()
    fake.faults.add("Process.Start", effects.SandboxDies(), at="frame=2")
    with pytest.raises(SandboxNotRunningException):
        await sandbox.commands.run("echo one; sleep 600")
    assert not await sandbox.is_running()


def test_it_dies_before_a_request_is_served(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    fake.faults.add("files.upload", effects.SandboxDies())
    with pytest.raises(SandboxNotRunningException):
        sandbox.files.write("a", "b")
    with pytest.raises(SandboxNotFoundException):
        sandbox.get_info()


def test_a_new_one_dies_before_its_maker_knows_it(fake: FakeE2B) -> None:
    fake.faults.add("createSandbox", effects.SandboxDies(), times=1)
    sandbox = Sandbox.create()
    assert not sandbox.is_running()
    assert Sandbox.create().is_running()


def test_it_dies_when_the_test_says_so(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    command = sandbox.commands.run("sleep 600", background=True)
    fake.sandbox(sandbox).die()
    with pytest.raises(SandboxNotRunningException):
        command.wait()
    assert sandbox.kill() is False


def test_a_paused_one_dies(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    sandbox.pause()
    fake.sandbox(sandbox.sandbox_id).die()
    with pytest.raises(SandboxNotFoundException):
        sandbox.connect()


def test_one_that_is_not_there_is_named(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    with pytest.raises(UsageError, match=f"no sandbox 'nobody'; there is {sandbox.sandbox_id}"):
        fake.sandbox("nobody")


@pytest.mark.parametrize(
    ("operation", "effect", "at", "text"),
    [
        ("createSandbox", effects.SandboxDies(), "arrived", "no sandbox is known yet"),
        ("listSandboxes", effects.SandboxDies(), None, "requests about one sandbox, which listS"),
        ("getSandbox", effects.GuestUnresponsive(), None, "requests into a sandbox, which getSan"),
        ("Process.Start", effects.PortClosed(), "done", "port-closed cannot act at done"),
        ("Process.List", effects.ListLags(1), None, "is about listSandboxes"),
        ("killSandbox", effects.PauseConflicts(), None, "is about pauseSandbox"),
        ("createSandbox", effects.ResumeFails(), None, "requests that can resume a sandbox"),
    ],
)
def test_what_can_never_strike_is_refused(
    fake: FakeE2B, operation: str, effect: effects.Effect, at: str | None, text: str
) -> None:
    with pytest.raises(UsageError, match=text):
        fake.faults.add(operation, effect, at=at)
    assert not fake.faults.list()


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"kind": "process-killed", "signal": 0}, "a signal is from 1 to 64"),
        ({"kind": "process-killed", "command": "re:("}, "is no regular expression"),
        ({"kind": "process-killed", "pid": 7, "command": "x"}, "say command or pid, not both"),
        ({"kind": "process-killed", "pid": 1}, "above 1"),
        ({"kind": "resume-slow", "seconds": -1}, "seconds is from 0"),
        ({"kind": "resume-fails", "reason": "tired"}, "'failed' or 'no-capacity'"),
        ({"kind": "list-lags"}, "needs 'seconds'"),
        ({"kind": "clock-skew", "seconds": 1e11}, "at most a hundred years"),
        ({"kind": "pause-conflicts", "state": "well"}, "'snapshotting' or 'pausing'"),
    ],
)
def test_what_can_never_be_is_refused(fake: FakeE2B, table: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        fake.faults.add_table({"effect": table})
