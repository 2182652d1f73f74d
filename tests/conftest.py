"""What all tests share: the plugin's fixtures, and a check that each test cleans up."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.helpers.waiting import wait_until


@pytest.fixture(scope="session", autouse=True)
def machine_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The temporary folder of this run's fakes, so that other runs' folders don't count."""
    folder = tmp_path_factory.mktemp("machine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        yield folder


def _traces(machine_folder: Path) -> set[str]:
    """What a fake can leave behind: child processes, sandbox folders, threads, open ports."""
    process = psutil.Process()
    found = {
        f"process {child.pid}"  # without its name: a helper gives itself one once it runs
        for child in process.children()
        if child.is_running() and child.status() != psutil.STATUS_ZOMBIE
    }
    # Whoever fakes a whole machine by another user id still has a folder here.
    # Spare folders are made ahead of need, for no test in particular.
    found |= {
        f"folder {path}"
        for path in machine_folder.glob("fake-e2b-*/run-*/*")
        if not path.name.startswith("spare-")
    }
    found |= {
        f"thread {thread.name}" for thread in threading.enumerate() if thread.name == "fake-e2b"
    }
    if any(thread.startswith("thread") for thread in found):
        return found
    return found | {
        f"port {connection.laddr.port}"
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }


@pytest.fixture(autouse=True)
def nothing_left_behind(machine_folder: Path) -> Iterator[None]:
    """Each test ends with no process, sandbox, server thread or open port that it added."""
    before = _traces(machine_folder)
    yield
    try:
        wait_until(lambda: not _traces(machine_folder) - before, timeout_s=5)
    except TimeoutError:
        left = sorted(_traces(machine_folder) - before)
        pytest.fail(f"left behind: {left} of {psutil.Process().children()}")
