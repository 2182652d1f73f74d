"""Where a sandbox has volumes, and what may not be done to these places.

The server changes a sandbox's files from outside. There the kernel takes no mount point for busy
and would let a volume go with its folder, which within the sandbox it never would.
"""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Callable, Sequence


class VolumePaths:
    """The paths of one sandbox's volumes.

    Args:
        realpath: Resolves every link of a path in the sandbox.
    """

    def __init__(self, paths: Sequence[str], realpath: Callable[[str], str]) -> None:
        self._paths = paths
        self._realpath = realpath

    def __bool__(self) -> bool:
        return bool(self._paths)

    def _resolved(self) -> list[str]:
        return [self._realpath(each) for each in self._paths]

    def _entry(self, path: str) -> str:
        """The path of an entry itself, be it a link; that of what is missing as it stands."""
        folder, name = posixpath.split(path.rstrip("/") or "/")
        try:
            return posixpath.join(self._realpath(folder), name)
        except OSError:
            return path

    def has(self, path: str) -> bool:
        """Whether a path lies in a volume."""
        if not self._paths:
            return False
        found = f"{self._realpath(path)}/"
        return any(found.startswith(f"{each}/") for each in self._resolved())

    def is_one(self, path: str) -> bool:
        """Whether it is the folder of a volume."""
        return bool(self._paths) and self._entry(path) in self._resolved()

    def check_removal(self, path: str) -> None:
        """Refuse to remove what a volume lies in.

        Raises:
            OSError: EBUSY.
        """
        if not self._paths:
            return
        entry = self._entry(path)
        if any(f"{each}/".startswith(f"{entry.rstrip('/')}/") for each in self._resolved()):
            raise busy(path)

    def check_move(self, *paths: str) -> None:
        """Refuse to move a volume's folder, or something over it.

        Raises:
            OSError: EBUSY.
        """
        for path in paths:
            if self.is_one(path):
                raise busy(path)


def busy(path: str) -> OSError:
    """What the kernel says of a mount point."""
    return OSError(errno.EBUSY, os.strerror(errno.EBUSY), path)
