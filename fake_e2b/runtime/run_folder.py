"""Where one server keeps its sandboxes on the disk, and the sweep of what dead servers left."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import os
import signal
import stat
import struct
import sys
import tempfile
from pathlib import Path

from fake_e2b.runtime.lasting import Lasting
from fake_e2b.runtime.trees import OwnTrees, Trees

_LOCK = "lock"
_PREFIX = "run-"
_REMOVALS_AT_ONCE = 4
"""Each waits for the disk most of the time, and holds one of the loop's few threads."""

# Linux: reading and setting what `lsattr` shows and `chattr` sets, and its attribute T.
_LONG = struct.Struct("l")
_GET_ATTRIBUTES = 0x80006601 | _LONG.size << 16
_SET_ATTRIBUTES = 0x40006602 | _LONG.size << 16
_TOP_OF_HIERARCHIES = 0x00020000


class RunFolder:
    """`<temporary folder>/fake-e2b-<uid>/run-<random>/`, private to the user and locked.

    The lock belongs to every process of the run (they inherit the descriptor): once it can be
    taken, all of them are gone.

    Args:
        parent: Where to put it; None takes the machine's temporary folder.
        outlived: Whether some files are to outlive it, see `lasting`.

    Attributes:
        trees: Who removes what programs made.
        lasting: Where files outlive it, on the same file system; None where none do.
    """

    def __init__(self, parent: str | None = None, *, outlived: bool = False) -> None:
        self.trees: Trees = OwnTrees()
        self._base = _private_folder(parent or tempfile.gettempdir())
        # It gets its final name after its lock: a sweep sees it locked or not at all.
        fresh = tempfile.mkdtemp(prefix="new-", dir=self._base)
        self.lock_fd = os.open(f"{fresh}/{_LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self.lock_fd, fcntl.LOCK_EX)
        self.path = f"{self._base}/{_PREFIX}{Path(fresh).name.removeprefix('new-')}"
        os.rename(fresh, self.path)
        _spread_folders(self.path)
        self._tag = Path(fresh).name.removeprefix("new-")
        self._made = itertools.count()
        self._thrown_away = itertools.count()
        self._removals: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(_REMOVALS_AT_ONCE)
        self._settling = False
        self.lasting = Lasting(f"{self._base}/kept", self.throw_away) if outlived else None

    @property
    def home(self) -> str:
        """Where layers and volumes are: among what outlives it, if anything does."""
        return self.path if self.lasting is None else self.lasting.path

    def new_folder(self) -> str:
        """A path in it for a folder that no run has had: where it lies depends on its name."""
        return f"{self.path}/spare-{next(self._made)}-{self._tag}"

    def throw_away(self, path: str) -> None:
        """Remove a folder of this run: its name is free at once, the rest goes by and by.

        A missing one is no error.
        """
        heap = f"{self.path}/removed-{next(self._thrown_away)}"
        try:
            os.rename(path, heap)
        except FileNotFoundError:
            return
        removal = asyncio.get_running_loop().create_task(self._remove_soon(heap))
        self._removals.add(removal)
        removal.add_done_callback(self._removals.discard)

    async def _remove_soon(self, path: str) -> None:
        async with self._turns:
            if self._settling:
                return
            # Without a descriptor or a thread to spare it stays until the run ends.
            with contextlib.suppress(OSError, RuntimeError):
                await asyncio.to_thread(self.trees.remove, path)

    async def settle(self) -> None:
        """Wait for the removals that have begun; the others are left to the end of the run."""
        self._settling = True
        await asyncio.gather(*self._removals)

    def close(self) -> None:
        """Give the lock back and remove the folder, if the helper has not done so."""
        if self.lock_fd >= 0:
            os.close(self.lock_fd)
            self.lock_fd = -1
        OwnTrees().remove(self.path)

    def sweep(self) -> None:
        """End and remove what servers left that are no more."""
        for name in os.listdir(self._base):
            path = f"{self._base}/{name}"
            if not name.startswith(_PREFIX) or path == self.path:
                continue
            try:
                lock = os.open(f"{path}/{_LOCK}", os.O_RDWR | os.O_CLOEXEC)
            except OSError:
                continue  # being removed by its own helper
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue  # alive
            else:
                _kill_processes_at_home_in(path)
                self.trees.remove(path)
            finally:
                os.close(lock)


def _spread_folders(path: str) -> None:
    """Tell the file system that the folders in `path` have nothing to do with each other.

    ext4 puts a folder beside its parent, and looks there for an inode that was not freed a moment
    ago. Where sandboxes come and go by the hundred that search takes many times as long as all
    else of a `mkdir`. Spread over the disk, none looks through what the others have freed.
    """
    if sys.platform != "linux":
        return
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        attributes = bytearray(_LONG.size)
        fcntl.ioctl(folder, _GET_ATTRIBUTES, attributes)
        wanted = _LONG.unpack(attributes)[0] | _TOP_OF_HIERARCHIES
        fcntl.ioctl(folder, _SET_ATTRIBUTES, _LONG.pack(wanted))
    except OSError:
        return  # a file system that knows no such thing
    finally:
        os.close(folder)


def _private_folder(parent: str) -> str:
    """The base folder of this user; a planted one is not used."""
    path = os.path.join(os.path.realpath(parent), f"fake-e2b-{os.getuid()}")
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    found = os.lstat(path)
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
        os.chmod(path, 0o700)
        return path
    return tempfile.mkdtemp(prefix="fake-e2b-", dir=parent)


def _kill_processes_at_home_in(folder: str) -> None:
    """Kill programs whose helper was killed before it could end them: their HOME tells."""
    marker = b"\0HOME=" + os.fsencode(folder) + b"/"
    if not os.path.isdir("/proc/self"):
        return
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError):
            with open(f"/proc/{name}/environ", "rb") as file:
                found = marker in b"\0" + file.read()
            if found:
                os.kill(int(name), signal.SIGKILL)
