"""Removing a folder that sandboxed programs wrote, and the control groups of a run."""

from __future__ import annotations

import os
from contextlib import suppress

from .tools import run_together, run_tool

_AT_ONCE = 8
GROUPS = "groups"
"""The file in a run's folder that names the control groups made for its guests."""


def remove_groups(path: str) -> None:
    """Remove the control groups that a run's folder names; those that are gone are no error."""
    with suppress(OSError), open(f"{path}/{GROUPS}") as file:
        for line in file:
            with suppress(OSError):
                os.rmdir(line.rstrip("\n"))


def remove_tree(path: str) -> None:
    """Remove a folder and all in it; a missing one is no error.

    The machine's `rm` does it, whatever the depth; several of them, because most of the time each
    waits for the disk. What programs made unreadable is made readable first. What cannot be removed
    all the same stays, for the next start's sweep.
    """
    if not os.path.lexists(path):
        return
    with suppress(OSError):
        below = [f"{path}/{name}" for name in os.listdir(path)]
        parts = [below[first::_AT_ONCE] for first in range(min(_AT_ONCE, len(below)))]
        run_together([("/bin/rm", "-rf", *part) for part in parts])
        os.rmdir(path)
        return
    run_tool("/bin/rm", "-rf", path)
    if os.path.lexists(path):
        run_tool("/bin/chmod", "-R", "u+rwx", path)
        run_tool("/bin/rm", "-rf", path)
