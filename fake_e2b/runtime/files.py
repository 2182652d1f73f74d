"""The files of one sandbox, reached from the server below a folder of the host."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from io import FileIO
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from fake_e2b.domain.entry import DiskUsage, FileStat, FilesystemEvent
from fake_e2b.domain.file_ports import FILE_MODE, ByteFile, Watch
from fake_e2b.domain.user import User
from fake_e2b.runtime.copying import copy_entry
from fake_e2b.runtime.mounts import is_network_filesystem
from fake_e2b.runtime.ownership import Ownership
from fake_e2b.runtime.removal import remove_tree
from fake_e2b.runtime.resolve import FOLDER, HANDLE, Place, Resolver
from fake_e2b.runtime.volume_paths import VolumePaths
from fake_e2b.runtime.watch import WatchHub

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

MOST_LINKS = 255
"""Symlinks that `realpath` follows before ELOOP, as the daemon's own resolver does."""

_TRIES = 8
_T = TypeVar("_T")
# Never waits: not for a FIFO's other end, not for a terminal, and never becomes ours.
_OPEN = os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY
_XATTRS_MISSING = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM)
_HAS_XATTRS = hasattr(os, "listxattr")


def _is_on_disk(place: Place) -> bool:
    return place.path.split("/")[1] not in ("dev", "proc", "sys")


class RootedFiles:
    """`fake_e2b.domain.file_ports.Files` below one folder of the host.

    Args:
        root_fd: The folder that is the sandbox's ``/``, a bind or a guest's `/proc/<pid>/root`
            included; `close` closes it.
        ownership: How owners are read and given.
        watches: The server's watches.
        path_prefix: The folder's own path on the host, where programs in the sandbox see it
            (see `Resolver`); "" where they don't.
        volumes: Paths of the sandbox at which it has volumes, which count as network mounts.
        linked: By path: folders of the host that stand in for what is there (see `Resolver`);
            `close` closes them.
    """

    def __init__(
        self,
        root_fd: int,
        *,
        ownership: Ownership,
        watches: WatchHub,
        path_prefix: str = "",
        volumes: Sequence[str] = (),
        linked: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._root = root_fd
        self._ownership = ownership
        self._watches = watches
        self._open_watches: set[Watch] = set()
        self._volumes = VolumePaths(volumes, self.realpath)
        self._linked = linked
        self._resolver = Resolver(root_fd, path_prefix, linked)
        self._resolve = self._resolver.resolve
        self._is_open = True

    def close(self) -> None:
        """Close the root and every watch below it; twice is fine."""
        if self._is_open:
            self._is_open = False
            for watch in tuple(self._open_watches):
                watch.close()
            self._resolver.close()
            for folder in (self._root, *self._linked.values()):
                os.close(folder)

    # Looking.

    def lstat(self, path: str) -> FileStat:
        """See `Files.lstat`."""
        return self._stat(path, follow=False)

    def stat(self, path: str) -> FileStat:
        """See `Files.stat`."""
        return self._stat(path, follow=True)

    def _stat(self, path: str, *, follow: bool) -> FileStat:
        for _ in range(_TRIES):
            with self._resolve(path, follow=follow) as place:
                status = os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)
                if follow and stat.S_ISLNK(status.st_mode):
                    continue  # it became a link after it was resolved
                owner, group = self._ownership.names(status, place.path)
                return FileStat(status.st_mode, status.st_size, status.st_mtime_ns, owner, group)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)

    def readlink(self, path: str) -> str:
        """See `Files.readlink`."""
        with self._resolve(path, follow=False) as place:
            text = os.readlink(place.name, dir_fd=place.folder)
        return self._resolver.sandbox_text(text)

    def realpath(self, path: str) -> str:
        """See `Files.realpath`; a chain of up to 255 links is followed."""
        with self._resolve(path, follow=True, most_links=MOST_LINKS) as place:
            os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)
            return place.path

    def recorded_owners(self) -> dict[str, str]:
        """Owners by path that the files themselves do not carry."""
        return self._ownership.recorded(self._look)

    def restore_owners(self, owners: Mapping[str, str]) -> None:
        """Take over what `recorded_owners` gave for the files that these are a copy of."""
        self._ownership.restore(owners, self._look)

    def _look(self, path: str) -> os.stat_result:
        with self._resolve(path, follow=False) as place:
            return os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)

    def listdir(self, path: str) -> Sequence[str]:
        """See `Files.listdir`."""
        descriptor = self._open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return sorted(os.listdir(descriptor), key=os.fsencode)
        finally:
            os.close(descriptor)

    def disk_usage(self) -> DiskUsage:
        """See `Files.disk_usage`: of the file system that holds the root."""
        status = os.fstatvfs(self._root)
        total = status.f_blocks * status.f_frsize
        return DiskUsage(total=total, used=total - status.f_bavail * status.f_frsize)

    def is_network_mount(self, path: str) -> bool:
        """See `Files.is_network_mount`; the file system of the root itself never counts."""
        if self._volumes.has(path):
            return True
        with self._resolve(path, follow=True) as place:
            descriptor = os.open(place.name, FOLDER, dir_fd=place.folder)
        try:
            if os.fstat(descriptor).st_dev == os.fstat(self._root).st_dev:
                return False
            return is_network_filesystem(descriptor)
        finally:
            os.close(descriptor)

    # Changing.

    def mkdir(self, path: str, mode: int, owner: User) -> None:
        """See `Files.mkdir`."""
        with self._resolve(path.rstrip("/") or "/", follow=False) as place:
            if place.name == ".":
                raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), path)
            os.mkdir(place.name, mode, dir_fd=place.folder)
            made = os.open(place.name, os.O_RDONLY | os.O_DIRECTORY | _OPEN, dir_fd=place.folder)
            try:
                if stat.S_IMODE(os.fstat(made).st_mode) != mode:
                    os.fchmod(made, mode)
            finally:
                os.close(made)
            self._ownership.assign(place.folder, place.name, place.path, owner)

    def symlink(self, target: str, path: str, owner: User) -> None:
        """See `Files.symlink`."""
        with self._resolve(path, follow=False) as place:
            os.symlink(target, place.name, dir_fd=place.folder)
            self._ownership.assign(place.folder, place.name, place.path, owner)

    def rename(self, source: str, destination: str) -> None:
        """See `Files.rename`."""
        self._volumes.check_move(source, destination)
        with (
            self._resolve(source.rstrip("/") or "/", follow=False) as old,
            self._resolve(destination.rstrip("/") or "/", follow=False) as new,
        ):
            try:
                os.rename(old.name, new.name, src_dir_fd=old.folder, dst_dir_fd=new.folder)
            except OSError as error:
                if error.errno != errno.EXDEV or not _is_on_disk(old) or not _is_on_disk(new):
                    raise
                self._move(old, new)

    def _move(self, old: Place, new: Place) -> None:
        """What a rename would do on the one disk that a sandbox has, where ours is several."""
        fresh = f".moving-{secrets.token_hex(8)}"
        try:
            copy_entry(
                f"/proc/self/fd/{old.folder}/{old.name}", f"/proc/self/fd/{new.folder}/{fresh}"
            )
            os.rename(fresh, new.name, src_dir_fd=new.folder, dst_dir_fd=new.folder)
        except BaseException:
            with suppress(OSError):
                remove_tree(new.folder, fresh, fresh, before=self._ownership.forget)
            raise
        remove_tree(old.folder, old.name, old.path, before=self._ownership.forget)

    def remove(self, path: str) -> None:
        """See `Files.remove`; the error names the entry that could not be removed."""
        stripped = path.rstrip("/")
        if self._volumes.is_one(path):
            for name in self.listdir(path):
                self.remove(f"{stripped}/{name}")
        self._volumes.check_removal(path)
        try:
            with self._resolve(stripped or "/", follow=False) as place:
                if place.name == ".":
                    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), path)
                remove_tree(place.folder, place.name, stripped, before=self._ownership.forget)
        except (FileNotFoundError, NotADirectoryError):
            return

    def chown(self, path: str, owner: User) -> None:
        """See `Files.chown`."""
        with self._resolve(path, follow=True) as place:
            self._ownership.assign(place.folder, place.name, place.path, owner)

    # Content.

    def open_read(self, path: str) -> ByteFile:
        """See `Files.open_read`: a FIFO without a writer is at its end at once."""
        return as_read(self._open(path, os.O_RDONLY))

    def open_descriptor(self, path: str, flags: int) -> int:
        """Open what is there, with flags such as `os.O_RDONLY`; never waits."""
        return self._open(path, flags)

    def open_write(self, path: str, *, owner: User, mode: int = FILE_MODE) -> ByteFile:
        """See `Files.open_write`: a FIFO without a reader is ENXIO."""
        descriptor, is_new = self.open_to_write(path, owner=owner, mode=mode)
        return as_written(descriptor, is_new=is_new)

    def open_to_write(self, path: str, *, owner: User, mode: int) -> tuple[int, bool]:
        """The descriptor of a file given to `owner`, and whether it was made; see `as_written`."""
        if path.endswith("/"):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        for _ in range(_TRIES):
            with self._resolve(path, follow=True) as place:
                try:
                    made = os.open(
                        place.name,
                        os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN,
                        mode,
                        dir_fd=place.folder,
                    )
                except FileExistsError:
                    pass
                else:
                    self._give_to(owner, made, mode, place)
                    return made, True
                try:
                    self._ownership.assign(place.folder, place.name, place.path, owner)
                    opened = os.open(place.name, os.O_WRONLY | _OPEN, dir_fd=place.folder)
                except FileNotFoundError:
                    continue  # removed since: make it
                except OSError as error:
                    if error.errno != errno.ELOOP:
                        raise
                    continue  # it became a link after it was resolved
                return opened, False
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)

    def _give_to(self, owner: User, made: int, mode: int, place: Place) -> None:
        try:
            if stat.S_IMODE(os.fstat(made).st_mode) != mode:
                os.fchmod(made, mode)
            self._ownership.assign(place.folder, place.name, place.path, owner)
        except BaseException:
            os.close(made)
            raise

    def _open(self, path: str, flags: int) -> int:
        for _ in range(_TRIES):
            with self._resolve(path, follow=True) as place:
                try:
                    return os.open(place.name, flags | _OPEN, dir_fd=place.folder)
                except OSError as error:
                    if error.errno != errno.ELOOP:
                        raise
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)

    # Extended attributes.

    def xattrs(self, path: str) -> Mapping[str, bytes]:
        """See `Files.xattrs`."""
        if not _HAS_XATTRS:
            return {}
        return self._with_handle(path, _read_xattrs)

    def set_xattr(self, path: str, name: str, value: bytes) -> None:
        """See `Files.set_xattr`."""
        if not _HAS_XATTRS:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), path)
        self._with_handle(path, lambda handle: os.setxattr(handle, name, value))

    def remove_xattr(self, path: str, name: str) -> None:
        """See `Files.remove_xattr`."""
        if not _HAS_XATTRS:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), path)
        self._with_handle(path, lambda handle: os.removexattr(handle, name))

    def _with_handle(self, path: str, use: Callable[[str], _T]) -> _T:
        """Call `use` with a path of the host that names the file and cannot be swapped."""
        with self._resolve(path, follow=True) as place:
            descriptor = os.open(place.name, HANDLE, dir_fd=place.folder)
        try:
            # These calls know no dir_fd, and no descriptor that was not opened for reading.
            return use(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)

    # Watching.

    def watch(
        self, path: str, *, recursive: bool, sink: Callable[[FilesystemEvent], None]
    ) -> Watch:
        """See `Files.watch`.

        Raises:
            OSError: ENOTDIR for anything but a folder; ENOTSUP where the system can't.
        """
        watch = self._watches.watch(
            lambda: self._open(path, os.O_RDONLY | os.O_DIRECTORY),
            recursive=recursive,
            sink=sink,
            on_close=self._open_watches.discard,
        )
        self._open_watches.add(watch)
        return watch


def as_read(descriptor: int) -> ByteFile:
    """A file to read from a descriptor, which it closes."""
    return _NeverWaiting(descriptor, "rb")


def as_written(descriptor: int, *, is_new: bool) -> ByteFile:
    """A file to write to a descriptor, which it closes; one that was there is cut."""
    return _NeverWaiting(descriptor, "wb") if is_new else _RewrittenFile(descriptor)


class _NeverWaiting(FileIO):
    """A file; where a FIFO or a device would make us wait, `BlockingIOError` instead of None."""

    def __exit__(self, *exc: object) -> None:
        self.close()

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if data is None:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return data

    def write(self, data: Buffer, /) -> int:
        written = super().write(data)
        if written is None:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return written


class _RewrittenFile(_NeverWaiting):
    """An existing file, cut to be written anew.

    Some file systems (ext4) write a file out to the disk when it is closed after having been cut
    to nothing, which takes milliseconds. So one byte stays until the first write replaces it.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "wb")
        status = os.fstat(descriptor)
        self._is_regular = stat.S_ISREG(status.st_mode)
        if self._is_regular and status.st_size > 1:
            os.ftruncate(descriptor, 1)

    def close(self) -> None:
        """Cut the byte that stayed if nothing was written."""
        try:
            if not self.closed and self._is_regular and self.tell() == 0:
                os.ftruncate(self.fileno(), 0)
        finally:
            super().close()


def _read_xattrs(handle: str) -> Mapping[str, bytes]:
    try:
        names = [name for name in os.listxattr(handle) if name.startswith("user.")]
        return {name: os.getxattr(handle, name) for name in names}
    except OSError as error:
        # ENODATA: removed between the two calls.
        if error.errno in (*_XATTRS_MISSING, errno.ENODATA):
            return {}
        raise
