"""Removing a folder that sandboxed programs wrote."""

from __future__ import annotations

import shutil

from .tools import run_tool


def remove_tree(path: str) -> None:
    """Remove a folder and all in it; a missing one is no error.

    What a program made unreadable or very deep is left to the machine's `chmod` and `rm`. What
    cannot be removed all the same stays, for the next start's sweep.
    """
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except (OSError, RecursionError):
        run_tool("/bin/chmod", "-R", "u+rwx", path)
        run_tool("/bin/rm", "-rf", path)
