"""Processes that may end while one looks at them."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import psutil

_TASKS = Path("/proc/self/task")


def lives(process: psutil.Process) -> bool:
    """Whether the process runs; what waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill_if_there(pid: int) -> None:
    """Kill the process, unless it ended by itself meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def children() -> list[psutil.Process]:
    """Those of this process: each test asks, and psutil reads the whole of /proc for an answer."""
    # The kernel's list may lack one while another one ends: two that are alike lack none.
    pids, again = _listed_children(), _listed_children()
    while pids != again:
        pids, again = again, _listed_children()
    if pids is None:
        return psutil.Process().children()
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(pid))
    return found


def _listed_children() -> set[int] | None:
    """As the kernel lists them for each thread; None where it does not."""
    try:
        lists = [(task / "children").read_text() for task in _TASKS.iterdir()]
    except OSError:
        return None
    return {int(pid) for listed in lists for pid in listed.split()}
