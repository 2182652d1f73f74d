"""Stubs for guests that share one folder of programs, as those of the `local` runtime do.

All of them find a stub that one of them has; it asks its own sandbox's socket, and without one
gives way to the real program.
"""

from __future__ import annotations

import os
import socket
import tempfile
from contextlib import suppress

from fake_e2b.runtime.files import RootedFiles
from fake_e2b.runtime.ownership import RecordedOwnership
from fake_e2b.runtime.resolve import FOLDER
from fake_e2b.runtime.stubs.doorway import listen_at
from fake_e2b.runtime.stubs.front import Front
from fake_e2b.runtime.watch import WatchHub

_HIDDEN = ".stubs"
_LONGEST_NAME = 100
_LONGEST_ID = 40
_OPEN_FILES = "/proc/self/fd"


class SharedStubs:
    """The stubs of one run.

    Args:
        folder: What comes first in everybody's PATH; made by its first use.
    """

    def __init__(self, folder: str, watches: WatchHub) -> None:
        self._folder = folder
        self._watches = watches
        self._files: RootedFiles | None = None
        self._front: Front | None = None
        self._shown: dict[str, frozenset[str]] = {}
        self._sockets = ""

    def listen(self, sandbox_id: str) -> socket.socket:
        """A listening socket of that sandbox's name.

        Raises:
            OSError: There is no room for it.
        """
        if not self._sockets:
            self._sockets = self._make_folder()
        path = f"{self._sockets}/{sandbox_id}"
        with suppress(FileNotFoundError):
            os.unlink(path)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if len(os.fsencode(path)) <= _LONGEST_NAME:
            return listen_at(made, path)
        folder = os.open(self._sockets, FOLDER)
        try:
            return listen_at(made, f"{_OPEN_FILES}/{folder}/{sandbox_id}")
        finally:
            os.close(folder)

    def _make_folder(self) -> str:
        path = f"{self._folder}/{_HIDDEN}"
        os.makedirs(path, 0o700, exist_ok=True)
        if len(os.fsencode(path)) + _LONGEST_ID < _LONGEST_NAME or os.path.isdir(_OPEN_FILES):
            return path
        return tempfile.mkdtemp(prefix="fake-e2b-", dir="/tmp")  # a socket's name has little room

    def show(self, sandbox_id: str, programs: frozenset[str]) -> None:
        """Have these stubs for a sandbox; blocking, but short.

        Raises:
            OSError: They cannot be written.
        """
        if not programs and sandbox_id not in self._shown:
            return
        if programs:
            self._shown[sandbox_id] = programs
        else:
            del self._shown[sandbox_id]
            self._unlink(sandbox_id)
        self._update()

    def forget(self, sandbox_id: str) -> None:
        """A sandbox has ended; twice is fine."""
        self._unlink(sandbox_id)
        if self._shown.pop(sandbox_id, None) is not None:
            with suppress(OSError):
                self._update()

    def _update(self) -> None:
        if self._front is None:
            # Until the run ends: one descriptor for all sandboxes.
            self._files = RootedFiles(
                os.open(self._folder, FOLDER),
                ownership=RecordedOwnership(),
                watches=self._watches,
            )
            self._front = Front(
                self._files,
                ("/",),
                aside=f"/{_HIDDEN}/covered",
                where=self._sockets,
                sandboxes=os.path.dirname(self._folder),
                prefix=self._folder,
            )
        self._front.show(frozenset().union(*self._shown.values()))
        if not self._shown:
            self.close()

    def _unlink(self, sandbox_id: str) -> None:
        if self._sockets:
            with suppress(FileNotFoundError):
                os.unlink(f"{self._sockets}/{sandbox_id}")

    def close(self) -> None:
        """Let the folders go; twice is fine."""
        if self._files is not None:
            self._files.close()
        self._files = self._front = None
        for path in {self._sockets, f"{self._folder}/{_HIDDEN}"} - {""}:
            with suppress(OSError):
                os.rmdir(path)
        self._sockets = ""
