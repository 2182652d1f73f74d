"""Disks that have no room left: files that pretend so, and a file that takes all there is."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import Any, NoReturn, TypeVar

from fake_e2b.domain.file_ports import FILE_MODE, ByteFile, Files
from fake_e2b.domain.user import ROOT, User

FilesLike = TypeVar("FilesLike", bound=Files)

BALLAST = "/.no-room-left"
"""What fills a limited disk; whoever removes it has room again."""
_PIECE = bytes(1 << 20)


def fill(files: Files) -> None:
    """Take all the room there is; blocking.

    Raises:
        OSError: It can't be written for another reason than want of room.
    """
    with suppress(FileNotFoundError):
        files.remove(BALLAST)
    piece = memoryview(_PIECE)
    with files.open_write(BALLAST, owner=ROOT, mode=0o600) as file:
        while piece:
            try:
                file.write(piece)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                piece = piece[: len(piece) // 2]


def on_full_disk(files: FilesLike) -> FilesLike:
    """The same files, where nothing can be added: what is there can be read, changed in name, and
    removed, which makes no room.
    """
    full: Any = _FullFiles(files)
    found: FilesLike = full
    return found


class _FullFiles:
    def __init__(self, files: Files) -> None:
        self._files = files

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def mkdir(self, path: str, mode: int, owner: User) -> None:
        try:
            self._files.lstat(path)
        except FileNotFoundError:
            _refuse()
        self._files.mkdir(path, mode, owner)  # which says that it is there

    def open_write(self, path: str, *, owner: User, mode: int = FILE_MODE) -> ByteFile:
        return _FullFile(self._files.open_write(path, owner=owner, mode=mode))


class _FullFile:
    def __init__(self, file: ByteFile) -> None:
        self._file = file
        self.read = file.read
        self.seek = file.seek
        self.fileno = file.fileno
        self.close = file.close

    def __enter__(self) -> ByteFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        if data:
            _refuse()
        return 0


def _refuse() -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
