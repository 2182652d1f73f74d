"""The three Linux calls that Python 3.11 has no function for; elsewhere they do nothing."""

from __future__ import annotations

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_IS_LINUX = sys.platform == "linux"


class Linux:
    """The C library, loaded once, before anything changes its root folder."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None, use_errno=True) if _IS_LINUX else None

    def adopt_orphans(self) -> None:
        """Make this process the parent of its descendants' orphans."""
        self._prctl(_PR_SET_CHILD_SUBREAPER, 1)

    def die_with_parent(self, signal_number: int) -> None:
        """Get `signal_number` when the parent dies."""
        self._prctl(_PR_SET_PDEATHSIG, signal_number)

    def setns(self, process: int, namespaces: int) -> None:
        """Enter namespaces of the process behind the descriptor `process`.

        Args:
            namespaces: Their `CLONE_NEW…` flags.

        Raises:
            OSError: The kernel refused.
        """
        if self._library is None:
            raise OSError("namespaces exist on Linux only")
        if self._library.setns(process, namespaces) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def _prctl(self, option: int, value: int) -> None:
        if self._library is not None:
            self._library.prctl(option, value, 0, 0, 0)
