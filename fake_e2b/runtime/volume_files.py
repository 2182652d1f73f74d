"""The files of one volume below a folder of the host."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence

from fake_e2b.domain.file_ports import ByteFile
from fake_e2b.domain.user import USER
from fake_e2b.domain.volume import EntryType, VolumeEntry
from fake_e2b.runtime.files import as_read, as_written
from fake_e2b.runtime.removal import remove_tree
from fake_e2b.runtime.resolve import HANDLE, Place, Resolver

_OPEN = os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY
_READ_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_TRIES = 8

Owner = tuple[int, int]
Owners = dict[tuple[int, int], Owner]
"""By device and inode."""


class RootedVolume:
    """`fake_e2b.domain.file_ports.VolumeFiles` below one folder of the host.

    Args:
        root_fd: The folder that is the volume; stays the caller's.
        owners: Where every file really belongs to who runs the fake: keeps whom the API gave
            them to. Programs' files are the user's there. None where the file system knows.
    """

    def __init__(self, root_fd: int, owners: Owners | None = None) -> None:
        self._resolver = Resolver(root_fd)
        self._resolve = self._resolver.resolve
        self._owners = owners

    def close(self) -> None:
        """See `VolumeFiles.close`."""
        self._resolver.close()

    # Looking.

    def stat(self, path: str) -> VolumeEntry:
        """See `VolumeFiles.stat`. Fact: volumes.content.links"""
        with self._resolve(path, follow=False) as place:
            found = _look(place)
            text = os.readlink(place.name, dir_fd=place.folder) if _is_link(found) else None
        if text is None:
            return self._entry(path, found, found)
        try:
            with self._resolve(path, follow=True) as place:
                return self._entry(path, found, _look(place), place.path)
        except OSError as error:
            if error.errno not in _NOWHERE:
                raise
            return self._entry(path, found, None, text)

    def _entry(
        self,
        path: str,
        found: os.stat_result,
        shown: os.stat_result | None,
        target: str | None = None,
    ) -> VolumeEntry:
        """One entry; a link has type and mode of what it leads to (`shown`)."""
        uid, gid = self._owner(found)
        return VolumeEntry(
            path=path,
            type=EntryType.UNKNOWN if shown is None else _type(shown),
            size=found.st_size,
            mode=stat.S_IMODE((shown or found).st_mode),
            uid=uid,
            gid=gid,
            atime_ns=found.st_atime_ns,
            mtime_ns=found.st_mtime_ns,
            ctime_ns=found.st_ctime_ns,
            target=target,
        )

    def walk(self, path: str, depth: int) -> Sequence[VolumeEntry]:
        """See `VolumeFiles.walk`: names in byte order, no link is followed downwards."""
        return list(self._walk(path, depth))

    def _walk(self, path: str, depth: int) -> Iterator[VolumeEntry]:
        with self._resolve(path, follow=True) as place:
            folder = os.open(place.name, _READ_FOLDER, dir_fd=place.folder)
        try:
            names = sorted(os.listdir(folder), key=os.fsencode)
        finally:
            os.close(folder)
        for name in names:
            below = f"{path.rstrip('/')}/{name}"
            try:
                entry = self.stat(below)
                yield entry
                if depth > 1 and entry.type is EntryType.DIRECTORY and entry.target is None:
                    yield from self._walk(below, depth - 1)
            except (FileNotFoundError, NotADirectoryError):
                continue  # removed or replaced since

    # Changing.

    def chmod(self, path: str, mode: int) -> None:
        """See `VolumeFiles.chmod`."""
        with self._resolve(path, follow=True) as place:
            _set_mode(place, mode)

    def chown(self, path: str, uid: int | None, gid: int | None) -> None:
        """See `VolumeFiles.chown`."""
        with self._resolve(path, follow=True) as place:
            self._give(place, uid, gid)

    def mkdir(self, path: str, *, mode: int, uid: int, gid: int) -> None:
        """See `VolumeFiles.mkdir`."""
        with self._resolve(path, follow=False) as place:
            if place.name == ".":
                raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), path)
            os.mkdir(place.name, mode, dir_fd=place.folder)
            try:
                _set_mode(place, mode)
                self._give(place, uid, gid)
            except BaseException:
                os.rmdir(place.name, dir_fd=place.folder)
                raise

    def remove(self, path: str) -> None:
        """See `VolumeFiles.remove`."""
        with self._resolve(path, follow=False) as place:
            _look(place)
            remove_tree(place.folder, place.name, path, before=self._forget)

    # Content.

    def open_read(self, path: str) -> ByteFile:
        """See `VolumeFiles.open_read`."""
        return as_read(self.open_to_read(path))

    def open_to_read(self, path: str) -> int:
        """The descriptor of a file.

        Raises:
            OSError: EISDIR, ENOTSUP: it is no file that can be read to its end; as the kernel has
                them.
        """
        for _ in range(_TRIES):
            with self._resolve(path, follow=True) as place:
                try:
                    opened = os.open(place.name, os.O_RDONLY | _OPEN, dir_fd=place.folder)
                except OSError as error:
                    if error.errno != errno.ELOOP:
                        raise
                    continue  # it became a link after it was resolved
            return _only_a_file(opened, path)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)

    def open_write(self, path: str, *, mode: int, uid: int, gid: int, exclusive: bool) -> ByteFile:
        """See `VolumeFiles.open_write`."""
        descriptor, is_new = self.open_to_write(path, mode, uid, gid, exclusive=exclusive)
        return as_written(descriptor, is_new=is_new)

    def open_to_write(
        self, path: str, mode: int, uid: int, gid: int, *, exclusive: bool
    ) -> tuple[int, bool]:
        """The descriptor of a file, and whether it was made; see `files.as_written`."""
        for _ in range(_TRIES):
            with self._resolve(path, follow=not exclusive) as place:
                if place.name == ".":
                    number = errno.EEXIST if exclusive else errno.EISDIR
                    raise OSError(number, os.strerror(number), path)
                try:
                    opened, is_new = self._open(place, mode, exclusive=exclusive)
                    _only_a_file(opened, path)
                except FileNotFoundError:
                    if exclusive:
                        raise
                    continue  # removed since: make it
                except OSError as error:
                    if error.errno != errno.ELOOP:
                        raise
                    continue
                try:
                    os.fchmod(opened, mode)
                    self._give(place, uid, gid)
                except BaseException:
                    os.close(opened)
                    if is_new:
                        os.unlink(place.name, dir_fd=place.folder)
                    raise
                return opened, is_new
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)

    def _open(self, place: Place, mode: int, *, exclusive: bool) -> tuple[int, bool]:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN
        try:
            return os.open(place.name, flags, mode, dir_fd=place.folder), True
        except FileExistsError:
            if exclusive:
                raise
        return os.open(place.name, os.O_WRONLY | _OPEN, dir_fd=place.folder), False

    # Owners.

    def _owner(self, found: os.stat_result) -> Owner:
        if self._owners is None:
            return found.st_uid, found.st_gid
        return self._owners.get((found.st_dev, found.st_ino), (USER.uid, USER.gid))

    def _give(self, place: Place, uid: int | None, gid: int | None) -> None:
        if self._owners is None:
            given = (-1 if uid is None else uid, -1 if gid is None else gid)
            os.chown(place.name, *given, dir_fd=place.folder, follow_symlinks=False)
            return
        found = _look(place)
        known = self._owner(found)
        self._owners[found.st_dev, found.st_ino] = (
            known[0] if uid is None else uid,
            known[1] if gid is None else gid,
        )

    def _forget(self, found: os.stat_result) -> None:
        if self._owners is not None and (found.st_nlink <= 1 or stat.S_ISDIR(found.st_mode)):
            self._owners.pop((found.st_dev, found.st_ino), None)


def _look(place: Place) -> os.stat_result:
    return os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)


def _is_link(found: os.stat_result) -> bool:
    return stat.S_ISLNK(found.st_mode)


def _type(found: os.stat_result) -> EntryType:
    if stat.S_ISDIR(found.st_mode):
        return EntryType.DIRECTORY
    return EntryType.FILE if stat.S_ISREG(found.st_mode) else EntryType.UNKNOWN


def _set_mode(place: Place, mode: int) -> None:
    """Exactly, whatever the umask; a link that took the name's place meanwhile is not followed."""
    handle = os.open(place.name, HANDLE, dir_fd=place.folder)
    try:
        if stat.S_ISLNK(os.fstat(handle).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), place.path)
        if hasattr(os, "O_PATH"):
            os.chmod(f"/proc/self/fd/{handle}", mode)
        else:
            os.fchmod(handle, mode)
    finally:
        os.close(handle)


def _only_a_file(opened: int, path: str) -> int:
    """The descriptor of a regular file; of anything else it is closed."""
    mode = os.fstat(opened).st_mode
    if stat.S_ISREG(mode):
        return opened
    os.close(opened)
    number = errno.EISDIR if stat.S_ISDIR(mode) else errno.ENOTSUP
    raise OSError(number, os.strerror(number), path)
