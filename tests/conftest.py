"""What all tests share: the plugin's fixtures, and a check that each test cleans up."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import trustme

from tests.helpers.processes import children, lives
from tests.helpers.waiting import wait_until

SPARE_GUESTS = 2
"""How many the isolated runtime keeps ready."""

_NO_TESTS = ("groups", "spare-", "layer")


@pytest.fixture(scope="session", autouse=True)
def machine_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The temporary folder of this run's fakes, so that other runs' folders don't count."""
    folder = tmp_path_factory.mktemp("machine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def one_certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What programs and clients trust, none of which leaves the machine.

    They load the machine's own list, of more than a hundred, for each client that is made: longer
    than most requests take.
    """
    file = tmp_path_factory.mktemp("trust") / "authority.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(file))
        yield


def _traces(machine_folder: Path) -> set[str]:
    """What a fake can leave behind: child processes, sandbox folders, threads, open ports."""
    process = psutil.Process()
    found = {
        f"process {child.pid}"  # without its name: a helper gives itself one once it runs
        for child in children()
        if lives(child)
    }
    for run in machine_folder.glob("fake-e2b-*/run-*"):
        found |= {f"folder {path}" for path in _sandbox_folders(run)}
    found |= {
        f"thread {thread.name}" for thread in threading.enumerate() if thread.name == "fake-e2b"
    }
    return found | {
        f"port {connection.laddr.port}"
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }


def _sandbox_folders(run: Path) -> list[str]:
    """A run's folders without those made ahead of need or for all, which belong to no test."""
    names = sorted(path.name for path in run.glob("*") if not path.name.startswith(_NO_TESTS))
    guests = [name for name in names if name.startswith("guest-")]
    others = [name for name in names if name not in guests]
    # A guest that is kept ready looks like one in use: only more than those are somebody's.
    used = range(SPARE_GUESTS, len(guests))
    return [f"{run.name}/{name}" for name in others] + [f"{run.name}/guest #{n}" for n in used]


@pytest.fixture(autouse=True)
def nothing_left_behind(machine_folder: Path) -> Iterator[None]:
    """Each test ends with no process, sandbox, server thread or open port that it added."""
    before = _traces(machine_folder)
    yield
    try:
        wait_until(lambda: not _traces(machine_folder) - before)
    except TimeoutError:
        left = sorted(_traces(machine_folder) - before)
        pytest.fail(f"left behind: {left} of {children()}")
