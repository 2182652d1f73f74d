"""Removing a folder that sandboxed programs wrote."""

from __future__ import annotations

import os

from .tools import run_tool


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
