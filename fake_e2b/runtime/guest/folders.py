"""Removing a folder that sandboxed programs wrote, and the control groups of a run."""

from __future__ import annotations

import os
from contextlib import suppress

from .tools import run_tool

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

    The machine's `rm` does it, whatever the depth. What programs made unreadable is made readable
    first. What cannot be removed all the same stays, for the next start's sweep.
    """
    if not os.path.lexists(path):
        return
    run_tool("/bin/rm", "-rf", path)
    if os.path.lexists(path):
        run_tool("/bin/chmod", "-R", "u+rwx", path)
        run_tool("/bin/rm", "-rf", path)
