"""The rules of a volume's content: defaults, force, and what each failure means.

No HTTP here. Facts: volumes.content.*
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from fake_e2b.domain.file_ports import ByteFile, VolumeFiles, parents
from fake_e2b.domain.volume import (
    FILE_MODE,
    FOLDER_MODE,
    OWNER,
    EntryType,
    VolumeEntry,
    clean_path,
)
from fake_e2b.domain.volume_errors import VolumeError, VolumeKind

MAX_DEPTH = 10
_NOT_A_FILE = {
    errno.EISDIR: "is a directory",
    errno.ENAMETOOLONG: "file name too long",
    errno.ELOOP: "too many levels of symbolic links",
    errno.EINVAL: "invalid argument",
}


class VolumeContent:
    """What one token lets do. Paths come as they are given, and are made absolute and clean."""

    def __init__(self, files: VolumeFiles) -> None:
        self._files = files

    def stat(self, path: str) -> VolumeEntry:
        """One entry.

        Raises:
            VolumeError: MISSING, BELOW_A_FILE, BAD_PATH, FAILED.
        """
        path = clean_path(path)
        with _meaning("stat", path):
            return self._files.stat(path)

    def update(
        self, path: str, *, uid: int | None, gid: int | None, mode: int | None
    ) -> VolumeEntry:
        """Change mode, then owner; what is None stays.

        Raises:
            VolumeError: As `stat`.
        """
        path = clean_path(path)
        if mode is not None:
            with _meaning("chmod", path):
                self._files.chmod(path, mode)
        if uid is not None or gid is not None:
            with _meaning("chown", path):
                self._files.chown(path, uid, gid)
        return self.stat(path)

    def remove(self, path: str) -> None:
        """An entry with all that is below it.

        Raises:
            VolumeError: ROOT, or as `stat`.
        """
        path = clean_path(path)
        if path == "/":
            raise VolumeError(VolumeKind.ROOT)
        with _meaning("delete", path):
            self._files.remove(path)

    def list(self, path: str, depth: int | None) -> Sequence[VolumeEntry]:
        """What is in a folder, each folder before what is in it; the folder itself is left out.

        Raises:
            VolumeError: DEPTH, or as `stat`.
        """
        path = clean_path(path)
        depth = 1 if depth is None else max(depth, 1)
        if depth > MAX_DEPTH:
            raise VolumeError(VolumeKind.DEPTH)
        with _meaning("read", path):
            return self._files.walk(path, depth)

    def make_dir(
        self, path: str, *, uid: int | None, gid: int | None, mode: int | None, force: bool
    ) -> VolumeEntry:
        """A folder.

        Args:
            force: Make what is missing above it; a folder that is there will do as it is.

        Raises:
            VolumeError: EXISTS, or as `stat`.
        """
        path = clean_path(path)
        owner = _owner(uid, gid)
        if force:
            self._make_parents(path, *owner)
        with _meaning("create directory", path):
            try:
                self._files.mkdir(
                    path, mode=FOLDER_MODE if mode is None else mode, uid=owner[0], gid=owner[1]
                )
            except FileExistsError:
                if not force or self._files.stat(path).type is not EntryType.DIRECTORY:
                    raise
        return self.stat(path)

    def _make_parents(self, path: str, uid: int, gid: int) -> None:
        for above in parents(path):
            with _meaning("create directory", above), suppress(FileExistsError):
                self._files.mkdir(above, mode=FOLDER_MODE, uid=uid, gid=gid)

    def open_read(self, path: str) -> ByteFile:
        """A file's content.

        Raises:
            VolumeError: As `stat`; FAILED for a folder.
        """
        path = clean_path(path)
        with _meaning("read", path):
            try:
                return self._files.open_read(path)
            except IsADirectoryError as error:
                raise VolumeError(
                    VolumeKind.FAILED, action="read", path=path, reason="is a directory"
                ) from error

    def open_write(
        self, path: str, *, uid: int | None, gid: int | None, mode: int | None, force: bool
    ) -> ByteFile:
        """A file to write to.

        Args:
            force: Make what is missing above it; a file that is there is cut, with a new owner
                and mode.

        Raises:
            VolumeError: EXISTS, or as `stat`.
        """
        path = clean_path(path)
        owner = _owner(uid, gid)
        if force:
            self._make_parents(path, *owner)
        with _meaning("write", path):
            return self._files.open_write(
                path,
                mode=FILE_MODE if mode is None else mode,
                uid=owner[0],
                gid=owner[1],
                exclusive=not force,
            )

    def write(self, file: ByteFile, data: bytes, path: str) -> None:
        """Append to a file from `open_write`; `path` is for the refusal.

        Raises:
            VolumeError: FAILED: the disk is full.
        """
        left = memoryview(data)
        with _meaning("write", clean_path(path)):
            while left:
                left = left[file.write(left) :]


def _owner(uid: int | None, gid: int | None) -> tuple[int, int]:
    return OWNER if uid is None else uid, OWNER if gid is None else gid


@contextmanager
def _meaning(action: str, path: str) -> Iterator[None]:
    """Say what the operating system's refusals mean here."""
    try:
        yield
    except FileNotFoundError as error:
        raise VolumeError(VolumeKind.MISSING, action=action, path=path) from error
    except FileExistsError as error:
        raise VolumeError(VolumeKind.EXISTS, action=action, path=path) from error
    except NotADirectoryError as error:
        raise VolumeError(VolumeKind.BELOW_A_FILE, action=action, path=path) from error
    except OSError as error:
        if error.errno == errno.EBADF:
            raise VolumeError(VolumeKind.VOLUME_GONE) from error
        if error.errno in (errno.ENOTSUP, errno.ENXIO):
            raise VolumeError(VolumeKind.NOT_SUPPORTED, action=action, path=path) from error
        reason = _NOT_A_FILE.get(error.errno or 0)
        if reason is not None:
            raise VolumeError(
                VolumeKind.BAD_PATH, action=action, path=path, reason=reason
            ) from error
        reason = (error.strerror or "unknown error").lower()
        raise VolumeError(VolumeKind.FAILED, action=action, path=path, reason=reason) from error
