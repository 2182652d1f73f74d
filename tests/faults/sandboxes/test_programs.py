"""Programs that are killed from within, and memory that runs out."""

from __future__ import annotations

import pytest
from e2b import AsyncSandbox, CommandExitException, Sandbox

from fake_e2b import FakeE2B, UsageError, effects
from tests.helpers.waiting import wait_until

_HOLDS_MUCH = "python3 -c 'held = bytearray(60 << 20); print(len(held), flush=True); input()'"


def _running(fake: FakeE2B, sandbox: Sandbox, command: str) -> bool:
    programs = fake.sandbox(sandbox).programs()
    return any(" ".join(each.argv).startswith(command) for each in programs)


def test_a_command_is_killed(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    fault = fake.faults.add("Process.Start", effects.ProcessKilled(), command="sleep *")
    with pytest.raises(CommandExitException) as caught:
        sandbox.commands.run("sleep 600")
    assert caught.value.exit_code == -1
    assert sandbox.commands.run("echo lives").stdout == "lives\n"
    assert fault.hits == 1


async def test_an_async_command_is_killed_amid_its_output(fake: FakeE2B) -> None:
    sandbox = await AsyncSandbox.create()
    fake.faults.add("Process.Start", effects.ProcessKilled(), command="echo *", at="frame=2")
    with pytest.raises(CommandExitException) as caught:
        await sandbox.commands.run("echo hi; sleep 600")
    assert (caught.value.exit_code, caught.value.stdout) == (-1, "hi\n")


def test_a_child_is_killed_and_its_shell_goes_on(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    command = sandbox.commands.run("sleep 601; echo $?", background=True)
    bystander = sandbox.commands.run("sleep 602", background=True)
    wait_until(lambda: _running(fake, sandbox, "sleep 601"))
    killed = fake.sandbox(sandbox).kill_process(command="sleep 601")
    assert [each.argv for each in killed] == [("sleep", "601")]
    assert command.wait().stdout == "137\n"
    assert bystander.kill()


def test_a_program_gets_another_signal(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    command = sandbox.commands.run(
        "trap 'echo told; exit 3' TERM; echo ready; while :; do sleep 0.02; done", background=True
    )
    shown = iter(command)
    assert next(shown)[0] == "ready\n"
    fake.sandbox(sandbox).kill_process(pid=command.pid, signal=15)
    with pytest.raises(CommandExitException) as caught:
        command.wait()
    assert (caught.value.exit_code, caught.value.stdout) == (3, "ready\ntold\n")


def test_a_request_about_a_process_kills_that_one(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    first = sandbox.commands.run("cat", background=True, stdin=True)
    second = sandbox.commands.run("cat", background=True, stdin=True)
    fault = fake.faults.add("Process.SendInput", effects.ProcessKilled(), times=1)
    sandbox.commands.send_stdin(first.pid, "x")
    with pytest.raises(CommandExitException):
        first.wait()
    assert [each.pid for each in sandbox.commands.list()] == [second.pid]
    assert fault.hits == 1
    second.kill()


def test_whom_nothing_fits_is_said(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    handle = fake.sandbox(sandbox)
    with pytest.raises(UsageError, match=r"no program fits 'python \*'; there runs none"):
        handle.kill_process(command="python *")
    with pytest.raises(UsageError, match="say whom"):
        handle.kill_process()
    with pytest.raises(UsageError, match="no program runs in the sandbox"):
        handle.out_of_memory()
    sandbox.pause()
    with pytest.raises(UsageError, match="is not running"):
        handle.kill_process(command="*")


def test_a_rule_that_finds_nobody_has_no_hit(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    fault = fake.faults.add("files.upload", effects.ProcessKilled(command="python *"), times=1)
    sandbox.files.write("a", "b")
    assert fault.hits == 0


def test_the_biggest_program_is_killed_for_want_of_memory(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    small = sandbox.commands.run("sleep 600", background=True)
    big = sandbox.commands.run(_HOLDS_MUCH, background=True, stdin=True)
    assert next(iter(big))[0] == f"{60 << 20}\n"
    killed = fake.sandbox(sandbox).out_of_memory()
    assert killed.argv[0] == "python3"
    assert killed.memory > 60 << 20
    with pytest.raises(CommandExitException) as caught:
        big.wait()
    assert caught.value.exit_code == -1
    assert small.kill()


def test_a_command_runs_out_of_memory(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    fake.faults.add("Process.Start", effects.OutOfMemory(), command="python3*", at="frame=2")
    with pytest.raises(CommandExitException) as caught:
        sandbox.commands.run(_HOLDS_MUCH, stdin=True)
    assert caught.value.exit_code == -1
