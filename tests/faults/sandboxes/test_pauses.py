"""Pauses and resumes that go wrong."""

from __future__ import annotations

import pytest
from e2b import (
    AsyncSandbox,
    Sandbox,
    SandboxException,
    SandboxNotRunningException,
    SandboxState,
    ServiceBusyException,
)

from fake_e2b import FakeE2B, effects
from fake_e2b.domain.steering.sandbox_effects import ResumeFailure

_WAKING = {"on_timeout": "pause", "auto_resume": True}


def test_a_pause_is_refused_and_the_sandbox_runs_on(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    fault = fake.faults.add("pauseSandbox", effects.PauseConflicts(), times=1)
    assert sandbox.pause() is False
    assert sandbox.commands.run("echo hi").stdout == "hi\n"
    [refused] = fake.journal.records(operation="pauseSandbox")
    assert "cannot be paused while in 'snapshotting' state" in refused.answer
    assert sandbox.pause() is True
    assert fault.hits == 1


async def test_an_async_pause_is_refused(fake: FakeE2B) -> None:
    sandbox = await AsyncSandbox.create()
    fake.sandbox(sandbox).refuse_pause(times=1)
    assert await sandbox.pause() is False
    assert await sandbox.pause() is True


@pytest.mark.parametrize(
    ("reason", "error", "text"),
    [
        ("failed", SandboxException, "500: Failed to place sandbox: sandbox creation failed"),
        ("no-capacity", ServiceBusyException, "not enough capacity"),
        ("timed-out", SandboxException, "504: Failed to place sandbox: placement timed out"),
    ],
)
def test_a_resume_fails_and_it_stays_paused(
    fake: FakeE2B, reason: ResumeFailure, error: type[Exception], text: str
) -> None:
    sandbox = Sandbox.create()
    sandbox.files.write("a", "kept")
    fault = fake.faults.add("connectSandbox", effects.ResumeFails(reason), times=1)
    sandbox.connect()  # it runs: there is nothing that could fail
    assert fault.hits == 0
    sandbox.pause()
    with pytest.raises(error, match=text):
        sandbox.connect()
    assert sandbox.get_info().state is SandboxState.PAUSED
    assert sandbox.connect().files.read("a") == "kept"
    assert fault.hits == 1


async def test_an_async_resume_fails(fake: FakeE2B) -> None:
    sandbox = await AsyncSandbox.create()
    await sandbox.pause()
    fake.sandbox(sandbox).fail_resume(times=1)
    with pytest.raises(SandboxException, match="500: Failed to place sandbox"):
        await sandbox.connect()
    await sandbox.connect()


def test_traffic_cannot_wake_it(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(lifecycle=_WAKING)
    sandbox.pause()
    fault = fake.sandbox(sandbox).fail_resume(times=1)
    with pytest.raises(SandboxNotRunningException):
        sandbox.commands.run("echo hi")
    assert fake.sandboxes()[0].state.value == "paused"
    assert sandbox.commands.run("echo hi").stdout == "hi\n"
    assert fault.hits == 1


def test_a_resume_takes_its_time(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(lifecycle=_WAKING)
    fault = fake.sandbox(sandbox).slow_resume(seconds=0.05)
    sandbox.pause()
    sandbox.connect()
    sandbox.pause()
    assert sandbox.commands.run("echo hi").stdout == "hi\n"
    assert fault.hits == 2


def test_files_are_lost_after_the_second_pause(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(envs={"KEPT": "variable"})
    fault = fake.faults.add("connectSandbox", effects.FilesLost())
    sandbox.files.write("first", "1")
    sandbox.pause()
    sandbox.connect()
    sandbox.files.write("first", "2")
    sandbox.files.write("second", "2")
    assert fault.hits == 0
    sandbox.pause()
    sandbox.connect()
    assert sandbox.files.read("first") == "1"
    assert not sandbox.files.exists("second")
    assert sandbox.commands.run("cat first; echo $KEPT").stdout == "1variable\n"
    fault.remove()
    sandbox.files.write("third", "3")
    sandbox.pause()
    sandbox.connect()
    assert sandbox.files.read("third") == "3"
    assert fault.hits == 1


async def test_files_are_lost_when_traffic_wakes_it(fake: FakeE2B) -> None:
    sandbox = await AsyncSandbox.create(lifecycle=_WAKING)
    fault = fake.sandbox(sandbox).lose_files(times=1)
    for text in ("1", "2"):
        await sandbox.files.write("text", text)
        await sandbox.pause()
    assert await sandbox.files.read("text") == "1"
    await sandbox.files.write("text", "4")
    await sandbox.pause()
    assert await sandbox.files.read("text") == "4"
    assert fault.hits == 1


def test_files_alone_are_lost_too(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    fake.sandbox(sandbox).lose_files()
    for text in ("1", "2"):
        sandbox.files.write("text", text)
        sandbox.pause(mode="filesystem")
        sandbox.connect()
    assert sandbox.files.read("text") == "1"
