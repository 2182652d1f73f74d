"""A sandbox whose machine the host has ended, as its out-of-memory killer does."""

from __future__ import annotations

import os
from contextlib import ExitStack

import psutil
import pytest
from e2b import Sandbox
from e2b.exceptions import SandboxNotFoundException, SandboxNotRunningException

from fake_e2b import FakeE2B, RuntimeUnavailableError
from tests.helpers.waiting import wait_until
from tests.sdk.python.conftest import Service, start_service

HELPER = "fake-e2b-helper"
MARKER = f"86401.{os.getpid()}"
"""Seconds of sleep, told apart from those of a run beside this one."""


def first_process_of(marker: str) -> psutil.Process:
    """The one below the helper from which the program with `marker` descends."""

    def programs() -> list[psutil.Process]:
        wanted = ["sleep", marker]
        return [one for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"] == wanted]

    (program,) = wait_until(programs)
    line = program.parents()
    return next(one for one in line if (above := one.parent()) and above.name() == HELPER)


def test_it_is_gone_and_the_others_are_not(fake: FakeE2B) -> None:
    doomed = Sandbox.create(lifecycle={"on_timeout": "pause"})
    other = Sandbox.create()
    command = doomed.commands.run(f"echo on; exec sleep {MARKER}", background=True, timeout=0)
    assert next(iter(command))[0] == "on\n"
    first_process_of(MARKER).kill()
    with pytest.raises(SandboxNotRunningException):
        command.wait()
    wait_until(lambda: not doomed.is_running())
    with pytest.raises(SandboxNotRunningException):
        doomed.commands.run("true")
    with pytest.raises(SandboxNotRunningException):
        doomed.files.read("/etc/hostname")
    with pytest.raises(SandboxNotFoundException):
        doomed.get_info()
    # As long as it is being cleared away, a kill joins in and succeeds.
    wait_until(lambda: not doomed.kill())
    assert other.commands.run("echo fine").stdout == "fine\n"
    assert Sandbox.create().commands.run("echo fine").stdout == "fine\n"


def test_its_ports_are_gone_and_its_place_is_free() -> None:
    with FakeE2B(max_sandboxes=1) as fake:
        doomed = Sandbox.create()
        service = start_service(fake, doomed)
        assert service.ask("/")[0] == 200
        command = doomed.commands.run(f"echo on; exec sleep {MARKER}", background=True, timeout=0)
        assert next(iter(command))[0] == "on\n"
        first_process_of(MARKER).kill()
        wait_until(lambda: is_refused(service))
        assert b"The sandbox was not found" in service.ask("/")[2]
        wait_until(lambda: not fake.sandboxes())
        assert Sandbox.create().commands.run("echo fine").stdout == "fine\n"


def test_one_that_dies_while_paused_is_gone_too(fake: FakeE2B) -> None:
    doomed = Sandbox.create()
    command = doomed.commands.run(f"echo on; exec sleep {MARKER}", background=True, timeout=0)
    assert next(iter(command))[0] == "on\n"
    machine = first_process_of(MARKER)
    doomed.pause()
    machine.kill()
    wait_until(lambda: not fake.sandboxes())
    with pytest.raises(SandboxNotFoundException):
        doomed.connect()


def test_time_passes_for_the_dead_as_for_the_living() -> None:
    with FakeE2B(clock="manual") as fake:
        doomed, other = Sandbox.create(timeout=60), Sandbox.create(timeout=600)
        command = doomed.commands.run(f"echo on; exec sleep {MARKER}", background=True, timeout=0)
        assert next(iter(command))[0] == "on\n"
        first_process_of(MARKER).kill()
        fake.clock.advance(seconds=61)
        wait_until(lambda: [one.sandbox_id for one in fake.sandboxes()] == [other.sandbox_id])
        assert other.commands.run("echo fine").stdout == "fine\n"


@pytest.mark.parametrize("runtime", ["local", "isolated"])
def test_without_the_helper_sandboxes_go_on_and_new_ones_come(runtime: str) -> None:
    """It forks each sandbox's first process; a new one takes its place."""
    before = helpers()
    with ExitStack() as stack:
        try:
            stack.enter_context(FakeE2B(runtime=runtime))
        except RuntimeUnavailableError as error:
            pytest.skip(str(error))
        old = Sandbox.create()
        old.files.write("kept", "k")
        counting = old.commands.run("cat", background=True, stdin=True)
        (helper,) = helpers() - before
        helper.kill()
        fresh = [Sandbox.create() for _ in range(12)]  # more than are kept ready
        assert all(says_fine(each) for each in (old, *fresh))
        old.commands.send_stdin(counting.pid, "still here\n")
        old.commands.close_stdin(counting.pid)
        assert counting.wait().stdout == "still here\n"
        old.pause(keep_memory=False)
        old.connect()
        assert old.files.read("kept") == "k"
        assert says_fine(old)
        assert all(each.kill() for each in (old, *fresh))


def is_refused(service: Service) -> bool:
    try:
        return service.ask("/")[0] == 502
    except ConnectionError:  # it died under this very request
        return False


def helpers() -> set[psutil.Process]:
    return {one for one in psutil.Process().children() if one.name() == HELPER}


def says_fine(sandbox: Sandbox) -> bool:
    return sandbox.commands.run("echo fine").stdout == "fine\n"
