"""What Linux offers and Python's standard library does not name; no-ops elsewhere."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_OOM_SCORE = "100"

ON_LINUX = sys.platform == "linux"
# PyDLL keeps the interpreter's lock: what runs between a raw clone and its return must.
libc = ctypes.PyDLL(None, use_errno=True)


def check(result: int, what: str) -> int:
    """Raise the C library's errno when `result` says so."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def become_subreaper() -> None:
    """Orphans below this process become its children, whatever they did to get away."""
    if ON_LINUX:
        check(libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def name_process(name: str) -> None:
    """What `ps -o comm` shows; at most 15 characters."""
    if ON_LINUX:
        check(libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0), "prctl")


def raise_oom_score() -> None:
    """Sandboxed programs go first when memory runs out. Fact: envd.process.start.oom-score"""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(_OOM_SCORE)


def open_process(pid: int) -> int | None:
    """A descriptor that becomes readable when process `pid` ends; None where there is none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
