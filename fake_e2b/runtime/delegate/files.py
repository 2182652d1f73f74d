"""The files of a sandbox, reached through the file service."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from fake_e2b.domain.entry import DiskUsage, FileStat, FilesystemEvent
from fake_e2b.domain.file_ports import FILE_MODE, ByteFile, Watch
from fake_e2b.domain.user import BUILT_IN_USERS, ROOT, User
from fake_e2b.runtime.delegate.client import FileService
from fake_e2b.runtime.files import RootedFiles, as_read, as_written
from fake_e2b.runtime.ownership import RealOwnership
from fake_e2b.runtime.volume_paths import VolumePaths
from fake_e2b.runtime.watch import WatchHub

Rows = Sequence[tuple[int, int, int]]
_NAMES = {user.uid: user.name for user in BUILT_IN_USERS.values()}


class DelegatedFiles:
    """`fake_e2b.domain.file_ports.Files`; content is read and written by the server itself.

    To look at something is tried without the service first: most of it is open to everybody.

    Args:
        root_fd: The folder that is the sandbox's ``/``; `close` closes it.
        uids: Where the sandbox's ids are on the machine: first there, first here, how many.
        gids: The same for groups.
        volumes: Paths at which the sandbox has volumes.
    """

    def __init__(
        self,
        root_fd: int,
        *,
        service: FileService,
        watches: WatchHub,
        uids: Rows,
        gids: Rows,
        volumes: Sequence[str] = (),
    ) -> None:
        self._root = root_fd
        ownership = RealOwnership(_namer(uids), _namer(gids))
        self._near = RootedFiles(root_fd, ownership=ownership, watches=watches)
        self._volumes = VolumePaths(volumes, self.realpath)
        self._service = service
        self._watches = watches
        self._open_watches: set[Watch] = set()
        self._is_open = True

    def close(self) -> None:
        """Close the root and every watch below it; twice is fine."""
        if self._is_open:
            self._is_open = False
            for watch in tuple(self._open_watches):
                watch.close()
            self._near.close()
            self._root = -1

    def _call(self, op: str, *args: object) -> Any:
        return self._service.call(op, *args, fds=self._fds())[0]

    def _fds(self) -> list[int]:
        os.fstat(self._root)  # EBADF once it is closed
        return [self._root]

    def _descriptor(self, op: str, *args: object) -> tuple[Any, int]:
        result, (descriptor,) = self._service.call(op, *args, fds=self._fds())
        return result, descriptor

    # Looking.

    def lstat(self, path: str) -> FileStat:
        """See `Files.lstat`."""
        with suppress(PermissionError):
            return self._near.lstat(path)
        return FileStat(*self._call("lstat", path))

    def stat(self, path: str) -> FileStat:
        """See `Files.stat`."""
        with suppress(PermissionError):
            return self._near.stat(path)
        return FileStat(*self._call("stat", path))

    def readlink(self, path: str) -> str:
        """See `Files.readlink`."""
        with suppress(PermissionError):
            return self._near.readlink(path)
        return str(self._call("readlink", path))

    def realpath(self, path: str) -> str:
        """See `Files.realpath`."""
        with suppress(PermissionError):
            return self._near.realpath(path)
        return str(self._call("realpath", path))

    def recorded_owners(self) -> dict[str, str]:
        """None: the files carry their owners."""
        return {}

    def restore_owners(self, owners: Mapping[str, str]) -> None:
        """Nothing to do, as for `recorded_owners`."""

    def listdir(self, path: str) -> Sequence[str]:
        """See `Files.listdir`."""
        with suppress(PermissionError):
            return self._near.listdir(path)
        names: list[str] = self._call("listdir", path)
        return names

    def disk_usage(self) -> DiskUsage:
        """See `Files.disk_usage`."""
        return self._near.disk_usage()

    def is_network_mount(self, path: str) -> bool:
        """See `Files.is_network_mount`."""
        if self._volumes.has(path):
            return True
        with suppress(PermissionError):
            return self._near.is_network_mount(path)
        return bool(self._call("is_network_mount", path))

    # Changing.

    def mkdir(self, path: str, mode: int, owner: User) -> None:
        """See `Files.mkdir`."""
        self._call("mkdir", path, mode, _fields(owner))

    def symlink(self, target: str, path: str, owner: User) -> None:
        """See `Files.symlink`."""
        self._call("symlink", target, path, _fields(owner))

    def rename(self, source: str, destination: str) -> None:
        """See `Files.rename`."""
        self._volumes.check_move(source, destination)
        self._call("rename", source, destination)

    def remove(self, path: str) -> None:
        """See `Files.remove`."""
        if self._volumes.is_one(path):
            for name in self.listdir(path):
                self.remove(f"{path.rstrip('/')}/{name}")
        self._volumes.check_removal(path)
        self._call("remove", path)

    def chown(self, path: str, owner: User) -> None:
        """See `Files.chown`."""
        self._call("chown", path, _fields(owner))

    # Content.

    def open_read(self, path: str) -> ByteFile:
        """See `Files.open_read`."""
        with suppress(PermissionError):
            return self._near.open_read(path)
        return as_read(self._descriptor("open", path, os.O_RDONLY)[1])

    def open_write(self, path: str, *, owner: User, mode: int = FILE_MODE) -> ByteFile:
        """See `Files.open_write`."""
        is_new, descriptor = self._descriptor("open_write", path, _fields(owner), mode)
        return as_written(descriptor, is_new=is_new)

    # Extended attributes.

    def xattrs(self, path: str) -> Mapping[str, bytes]:
        """See `Files.xattrs`."""
        with suppress(PermissionError):
            return self._near.xattrs(path)
        found: dict[str, str] = self._call("xattrs", path)
        return {name: value.encode("latin-1") for name, value in found.items()}

    def set_xattr(self, path: str, name: str, value: bytes) -> None:
        """See `Files.set_xattr`."""
        self._call("set_xattr", path, name, value.decode("latin-1"))

    def remove_xattr(self, path: str, name: str) -> None:
        """See `Files.remove_xattr`."""
        self._call("remove_xattr", path, name)

    # Watching.

    def watch(
        self, path: str, *, recursive: bool, sink: Callable[[FilesystemEvent], None]
    ) -> Watch:
        """See `Files.watch`; folders that a user of the sandbox closed to others are left out."""
        watch = self._watches.watch(
            lambda: self._descriptor("open", path, os.O_RDONLY | os.O_DIRECTORY)[1],
            recursive=recursive,
            sink=sink,
            on_close=self._open_watches.discard,
        )
        self._open_watches.add(watch)
        return watch


def _namer(rows: Rows) -> Callable[[int], str]:
    """What an id of the machine is called in the sandbox; what is nobody's there is root's."""

    def name(number: int) -> str:
        for inside, outside, count in rows:
            if outside <= number < outside + count:
                found = inside + number - outside
                return _NAMES.get(found) or str(found)
        return ROOT.name

    return name


def _fields(user: User) -> list[object]:
    return [user.name, user.uid, user.gid, user.home, user.shell]
