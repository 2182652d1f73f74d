"""A sandbox whose machine the host has ended, as its out-of-memory killer does."""

from __future__ import annotations

import os

import psutil
import pytest
from e2b import Sandbox
from e2b.exceptions import SandboxNotFoundException, SandboxNotRunningException

from fake_e2b import FakeE2B
from tests.helpers.waiting import wait_until

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
