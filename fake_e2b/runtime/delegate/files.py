"""The files of a sandbox, reached through the file service."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fake_e2b.domain.entry import DiskUsage, FileStat, FilesystemEvent
from fake_e2b.domain.ports import FILE_MODE, ByteFile, Watch
from fake_e2b.domain.user import User
from fake_e2b.runtime.delegate.client import FileService
from fake_e2b.runtime.files import as_read, as_written
from fake_e2b.runtime.watch import WatchHub


class DelegatedFiles:
    """`fake_e2b.domain.ports.Files`; content is read and written by the server itself.

    Args:
        root_fd: The folder that is the sandbox's ``/``; `close` closes it.
    """

    def __init__(self, root_fd: int, *, service: FileService, watches: WatchHub) -> None:
        self._root = root_fd
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
            os.close(self._root)
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
        return FileStat(*self._call("lstat", path))

    def stat(self, path: str) -> FileStat:
        """See `Files.stat`."""
        return FileStat(*self._call("stat", path))

    def readlink(self, path: str) -> str:
        """See `Files.readlink`."""
        return str(self._call("readlink", path))

    def realpath(self, path: str) -> str:
        """See `Files.realpath`."""
        return str(self._call("realpath", path))

    def recorded_owners(self) -> dict[str, str]:
        """None: the files carry their owners."""
        return {}

    def restore_owners(self, owners: Mapping[str, str]) -> None:
        """Nothing to do, as for `recorded_owners`."""

    def listdir(self, path: str) -> Sequence[str]:
        """See `Files.listdir`."""
        names: list[str] = self._call("listdir", path)
        return names

    def disk_usage(self) -> DiskUsage:
        """See `Files.disk_usage`."""
        total, used = self._call("disk_usage")
        return DiskUsage(total=total, used=used)

    def is_network_mount(self, path: str) -> bool:
        """See `Files.is_network_mount`."""
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
        self._call("rename", source, destination)

    def remove(self, path: str) -> None:
        """See `Files.remove`."""
        self._call("remove", path)

    def chown(self, path: str, owner: User) -> None:
        """See `Files.chown`."""
        self._call("chown", path, _fields(owner))

    # Content.

    def open_read(self, path: str) -> ByteFile:
        """See `Files.open_read`."""
        return as_read(self._descriptor("open", path, os.O_RDONLY)[1])

    def open_write(self, path: str, *, owner: User, mode: int = FILE_MODE) -> ByteFile:
        """See `Files.open_write`."""
        is_new, descriptor = self._descriptor("open_write", path, _fields(owner), mode)
        return as_written(descriptor, is_new=is_new)

    # Extended attributes.

    def xattrs(self, path: str) -> Mapping[str, bytes]:
        """See `Files.xattrs`."""
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


def _fields(user: User) -> list[object]:
    return [user.name, user.uid, user.gid, user.home, user.shell]
