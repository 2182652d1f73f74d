"""The server's side of a guest's limited disk, see `fake_e2b.runtime.guest.disk`."""

from __future__ import annotations

import os

from fake_e2b.runtime.guest.client import AgentClient
from fake_e2b.runtime.trees import Trees

_KEPT = ("root", "upper")


class Disk:
    """A mounted disk; it and all on it are gone after `close`.

    Args:
        descriptor: Its top folder; it is closed here.
        trees: Who copies what is on it.
    """

    def __init__(self, descriptor: int, trees: Trees) -> None:
        self._descriptor = descriptor
        self._trees = trees

    @classmethod
    async def of(cls, init: AgentClient, trees: Trees) -> Disk:
        """Take the disk of a guest whose view is not built yet."""
        _, fds = await init.call("disk")
        return cls(fds[0], trees)

    @property
    def path(self) -> str:
        """Where this process finds it, whatever namespace it is mounted in."""
        return f"/proc/self/fd/{self._descriptor}"

    def fill(self, folder: str) -> None:
        """Copy a guest's folder to the empty disk; blocking.

        Raises:
            OSError: It does not fit, or cannot be read.
        """
        for name in _KEPT:
            self._trees.copy(f"{folder}/{name}", f"{self.path}/{name}")
        os.mkdir(f"{self.path}/work", 0o755)

    def save(self, folder: str) -> None:
        """Copy what is on it to a folder, which is made; blocking.

        Raises:
            OSError: It cannot be written.
        """
        os.mkdir(folder, 0o755)
        for name in _KEPT:
            self._trees.copy(f"{self.path}/{name}", f"{folder}/{name}")
        os.mkdir(f"{folder}/work", 0o755)

    def close(self) -> None:
        """Let it go; twice is fine."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
