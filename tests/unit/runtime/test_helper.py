"""Which helper counts as alive."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from fake_e2b.runtime.guest.helper import Helper
from tests.helpers.processes import children
from tests.helpers.waiting import wait_until

# As one that is being killed: its socket, the fourth argument, is closed, and it is still there.
DYING = f"""#!{sys.executable} -IS
import os, sys, time
os.close(int(sys.argv[4]))
time.sleep(1000)
"""


def test_one_that_closed_its_socket_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text(DYING)
    program.chmod(0o755)
    (tmp_path / "run").mkdir()
    with open(tmp_path / "lock", "w") as lock:
        helper = Helper(str(tmp_path / "run"), lock.fileno())
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", str(program))
            helper.start()
        [process] = [child for child in children() if str(program) in child.cmdline()]
        wait_until(lambda: not helper.alive)
        assert process.is_running()
        with helper.fork_agent():
            assert helper.alive
            assert helper.starts == 2
            assert not process.is_running()
        helper.close_now()
    assert not os.path.exists(tmp_path / "run")
