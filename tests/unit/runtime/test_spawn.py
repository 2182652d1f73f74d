"""Starting programs where something has changed since one looked."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from fake_e2b.runtime.guest.spawn import Spawner, StartError

ENV = {"PATH": os.defpath}


def outcome(spawner: Spawner, *argv: str) -> tuple[str, int]:
    """What a program says, and its exit status."""
    started = spawner.start(argv, ENV, "/", pty=None, stdin=False)
    out, err = started.fds
    with open(out) as said, open(err):
        text = said.read()
    return text, os.waitstatus_to_exitcode(os.waitpid(started.pid, 0)[1])


def test_programs_share_a_group_as_long_as_there_is_one() -> None:
    spawner = Spawner()
    started = [spawner.start(("sleep", "1000"), ENV, "/", pty=None, stdin=False) for _ in "ab"]
    try:
        assert [os.getpgid(each.pid) for each in started] == [started[0].pid] * 2
    finally:
        for each in started:
            os.kill(each.pid, signal.SIGKILL)
            os.waitpid(each.pid, 0)
            for descriptor in each.fds:
                os.close(descriptor)


def test_a_group_that_nobody_can_join_any_more_is_left() -> None:
    """As when its last member goes between the look and the start: the kernel says EPERM."""
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as elsewhere:
        try:
            spawner = Spawner()
            spawner.group = elsewhere.pid  # it is there, but in another session
            assert outcome(spawner, "echo", "started") == ("started\n", 0)
            assert spawner.group != elsewhere.pid
        finally:
            elsewhere.kill()


def test_a_program_that_may_not_be_executed_is_told_all_the_same() -> None:
    spawner = Spawner()
    with pytest.raises(StartError) as refused:
        outcome(spawner, "/etc/passwd")
    assert refused.value.stage == "exec"
