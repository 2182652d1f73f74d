"""The files of a volume, reached through the file service."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from fake_e2b.domain.file_ports import ByteFile
from fake_e2b.domain.volume import EntryType, VolumeEntry
from fake_e2b.runtime.delegate.client import FileService
from fake_e2b.runtime.files import as_read, as_written


class DelegatedVolume:
    """`fake_e2b.domain.file_ports.VolumeFiles`; content is read and written by the server itself.

    Args:
        root_fd: The folder that is the volume; stays the caller's.
    """

    def __init__(self, root_fd: int, service: FileService) -> None:
        self._root = root_fd
        self._service = service

    def close(self) -> None:
        """See `VolumeFiles.close`."""
        self._root = -1

    def _call(self, op: str, *args: object) -> tuple[Any, list[int]]:
        os.fstat(self._root)  # EBADF once it is closed
        return self._service.call(f"volume_{op}", *args, fds=[self._root])

    def stat(self, path: str) -> VolumeEntry:
        """See `VolumeFiles.stat`."""
        return _entry(self._call("stat", path)[0])

    def walk(self, path: str, depth: int) -> Sequence[VolumeEntry]:
        """See `VolumeFiles.walk`."""
        return [_entry(each) for each in self._call("walk", path, depth)[0]]

    def chmod(self, path: str, mode: int) -> None:
        """See `VolumeFiles.chmod`."""
        self._call("chmod", path, mode)

    def chown(self, path: str, uid: int | None, gid: int | None) -> None:
        """See `VolumeFiles.chown`."""
        self._call("chown", path, uid, gid)

    def mkdir(self, path: str, *, mode: int, uid: int, gid: int) -> None:
        """See `VolumeFiles.mkdir`."""
        self._call("mkdir", path, mode, uid, gid)

    def remove(self, path: str) -> None:
        """See `VolumeFiles.remove`."""
        self._call("remove", path)

    def open_read(self, path: str) -> ByteFile:
        """See `VolumeFiles.open_read`."""
        return as_read(self._call("open_read", path)[1][0])

    def open_write(self, path: str, *, mode: int, uid: int, gid: int, exclusive: bool) -> ByteFile:
        """See `VolumeFiles.open_write`."""
        is_new, (descriptor,) = self._call("open_write", path, mode, uid, gid, exclusive)
        return as_written(descriptor, is_new=is_new)


def _entry(fields: list[Any]) -> VolumeEntry:
    path, kind, *rest = fields
    return VolumeEntry(path, EntryType(kind), *rest)
