"""Processes that may end while one looks at them."""

from __future__ import annotations

import contextlib
import os
import signal

import psutil


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
