"""Copies of a sandbox's files, sharing blocks where the file system can.

A tree that stands still is only read. What an overlay notes beside its files goes along as far as
it says what the files are (a removed name, a folder that hides the one below); what it says about
one mount of them does not.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

_FICLONE = 0x40049409
"""Linux's ioctl that makes one file share another's blocks, copied on write."""
_CHUNK = 1 << 20
_AT_ONCE = 1 << 16
_UNSUPPORTED = (
    errno.EOPNOTSUPP,
    errno.ENOTSUP,
    errno.EXDEV,
    errno.EINVAL,
    errno.ENOTTY,
    errno.ENOSYS,
    errno.EPERM,
)
_XATTRS_REFUSED = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EINVAL, errno.ENODATA)
_OF_ONE_MOUNT = tuple(
    f"user.overlay.{name}" for name in ("origin", "impure", "nlink", "upper", "uuid")
)
_OPAQUE = "user.overlay.opaque"
_HAS_XATTRS = hasattr(os, "listxattr")
_HAS_HOLES = hasattr(os, "SEEK_DATA")
_LONG_PATH = 3000
_WAY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class Copied:
    """What a copy holds: how many entries, and how many bytes in files."""

    entries: int = 0
    size: int = 0


class _Level:
    """A folder that is being copied, and short ways to it however deep it is."""

    def __init__(self, source: str, target: str, found: os.stat_result) -> None:
        self.source = source
        self.target = target
        self.found = found
        self.entries: Iterator[os.DirEntry[str]] = iter(())
        self._open: list[int] = []
        self.way = self._short(target)

    def come_from(self) -> str:
        """The way to what is copied."""
        return self._short(self.source)

    def leave(self) -> None:
        """Its entries are copied; twice is fine."""
        while self._open:
            os.close(self._open.pop())

    def _short(self, path: str) -> str:
        if len(os.fsencode(path)) < _LONG_PATH or sys.platform != "linux":
            return path
        self._open.append(os.open(path, _WAY))
        return f"/proc/self/fd/{self._open[-1]}"


@dataclass(slots=True)
class Copier:
    """Copies what belongs together.

    Attributes:
        top: The path below which everything is put.
        links: Where the first name of each file is that has several.
        left_out: Paths that are not copied.
        touched: Folders of the source for which `lay_over` had something to do.
    """

    top: str
    left_out: Collection[str] = ()
    count: Copied = field(default_factory=Copied)
    links: dict[tuple[int, int], str] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    can_share: bool = sys.platform == "linux"
    can_range: bool = hasattr(os, "copy_file_range")
    really: bool = field(default_factory=lambda: os.geteuid() == 0)

    def folder(self, source: str, target: str) -> None:
        """Copy a folder to a name that is free; no recursion: programs make deep trees."""
        pending = [self._enter(source, target, os.lstat(source))]
        try:
            while pending:
                level = pending[-1]
                entry = next(level.entries, None)
                if entry is None:
                    pending.pop()
                    level.leave()
                    self.count.entries += 1
                    self.properties(level.source, level.target, level.found)
                    continue
                if entry.path in self.left_out:
                    continue
                with contextlib.suppress(FileNotFoundError):
                    below = entry.stat(follow_symlinks=False)
                    path = f"{level.way}/{entry.name}"
                    if stat.S_ISDIR(below.st_mode):
                        pending.append(self._enter(entry.path, path, below))
                    else:
                        self.entry(entry.path, path, below)
        finally:
            for level in pending:
                level.leave()

    def _enter(self, source: str, target: str, found: os.stat_result) -> _Level:
        os.mkdir(target, 0o700)
        level = _Level(source, target, found)
        level.entries = self.entries(level.come_from(), found)
        return level

    def entries(self, path: str, found: os.stat_result) -> Iterator[os.DirEntry[str]]:
        """What is in a folder, which stays open to us until the last was taken."""
        with contextlib.suppress(FileNotFoundError), self._readable(path, found, 0o500):
            with os.scandir(path) as entries:
                names = list(entries)  # one open folder, however deep the tree is
            yield from names

    @contextlib.contextmanager
    def _readable(self, path: str, found: os.stat_result, needed: int) -> Iterator[None]:
        """Open up to ourselves what a program closed to everybody, for a moment."""
        if self.really or found.st_mode & needed == needed or found.st_uid != os.geteuid():
            yield
            return
        os.chmod(path, stat.S_IMODE(found.st_mode) | needed)
        try:
            yield
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.chmod(path, stat.S_IMODE(found.st_mode))

    def entry(self, source: str, target: str, found: os.stat_result) -> None:
        """Copy what is no folder. Sockets are left out: they live with their process."""
        if stat.S_ISSOCK(found.st_mode):
            return
        if found.st_nlink > 1:
            identity = (found.st_dev, found.st_ino)
            if (known := self.links.get(identity)) is not None:
                os.link(known, target, follow_symlinks=False)
                self.count.entries += 1
                return
            # A short way to a deep folder does not last: of its links each is a file of its own.
            if target.startswith(self.top):
                self.links[identity] = target
        if stat.S_ISLNK(found.st_mode):
            os.symlink(os.readlink(source), target)
        elif stat.S_ISREG(found.st_mode):
            with self._readable(source, found, 0o400):
                self._file(source, target, found)
        elif stat.S_ISFIFO(found.st_mode):
            os.mkfifo(target)  # the mode follows; macOS lets only root mknod
        else:  # the mark of an overlay for a name that was removed
            os.mknod(target, found.st_mode, found.st_rdev)
        self.count.entries += 1
        self.properties(source, target, found)

    def _file(self, source: str, target: str, found: os.stat_result) -> None:
        self.count.size += found.st_size
        reading = os.open(source, _READ)
        try:
            writing = os.open(target, _WRITE, 0o600)
            try:
                if found.st_size:
                    self._content(reading, writing, found.st_size)
            finally:
                os.close(writing)
        finally:
            os.close(reading)

    def _content(self, reading: int, writing: int, size: int) -> None:
        if self.can_share:
            try:
                fcntl.ioctl(writing, _FICLONE, reading)
            except OSError as error:
                if error.errno not in _UNSUPPORTED:
                    raise
                self.can_share = False
            else:
                return
        if size <= _AT_ONCE:
            os.write(writing, os.read(reading, _AT_ONCE))
            return
        os.ftruncate(writing, size)
        for start, end in _data(reading, size):
            self._range(reading, writing, start, end)

    def _range(self, reading: int, writing: int, start: int, end: int) -> None:
        while self.can_range and start < end:
            try:
                done = os.copy_file_range(reading, writing, end - start, start, start)
            except OSError as error:
                if error.errno not in _UNSUPPORTED:
                    raise
                self.can_range = False
                break
            if done == 0:
                return
            start += done
        while start < end:
            data = os.pread(reading, min(_CHUNK, end - start), start)
            if not data:
                return
            start += os.pwrite(writing, data, start)

    def has(self, target: str, source: str, found: os.stat_result) -> bool:
        """Whether the target is such a file or link already, which then gets the same times.

        Small ones alone: to compare is to read. A fresh file costs more, for the disk has to know.
        """
        try:
            there = os.lstat(target)
            if stat.S_ISLNK(found.st_mode) and stat.S_ISLNK(there.st_mode):
                alike = os.readlink(target) == os.readlink(source)
            else:
                alike = (
                    stat.S_ISREG(found.st_mode)
                    and (there.st_mode, there.st_size) == (found.st_mode, found.st_size)
                    and found.st_size <= _AT_ONCE
                    and (there.st_nlink, found.st_nlink) == (1, 1)
                    and not kept_xattrs(source)
                    and not kept_xattrs(target)
                    and _content(target) == _content(source)
                )
        except OSError:
            return False
        owners = (there.st_uid, there.st_gid) == (found.st_uid, found.st_gid)
        if not alike or not owners:
            return False
        if there.st_mtime_ns != found.st_mtime_ns:
            self.touched.add(os.path.dirname(source))
            os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=False)
        return True

    @staticmethod
    def looks_alike(target: str, source: str, found: os.stat_result) -> bool:
        """Whether a folder has another's properties; to look is cheaper than to give them."""
        there = os.lstat(target)
        return (there.st_mode, there.st_uid, there.st_gid, there.st_mtime_ns) == (
            found.st_mode,
            found.st_uid,
            found.st_gid,
            found.st_mtime_ns,
        ) and not kept_xattrs(source)

    def properties(self, source: str, target: str, found: os.stat_result) -> None:
        """Owner, attributes, mode and times; owners need root, as does nothing else."""
        link = stat.S_ISLNK(found.st_mode)
        if self.really:
            os.chown(target, found.st_uid, found.st_gid, follow_symlinks=False)
        if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
            with self._readable(source, found, 0o400):
                _copy_xattrs(source, target)
        if not link:
            os.chmod(target, stat.S_IMODE(found.st_mode))
        os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=False)


def copy_tree(source: str, target: str, *, left_out: Collection[str] = ()) -> Copied:
    """Make `target` a copy of the folder `source`: modes, times, links, owners, attributes, holes.

    Sockets are left out, and so is what vanishes meanwhile.

    Args:
        left_out: Paths, below `source`, that are not copied either.

    Raises:
        OSError: `source` cannot be read, or `target` not be written.
    """
    copier = Copier(target, left_out)
    copier.folder(source, target)
    return copier.count


def copy_entry(source: str, target: str) -> None:
    """As `copy_tree`, for whatever `source` is; a socket cannot be copied.

    Raises:
        OSError: `source` cannot be read or is a socket, or `target` not be written.
    """
    found = os.lstat(source)
    if stat.S_ISDIR(found.st_mode):
        copy_tree(source, target)
        return
    if stat.S_ISSOCK(found.st_mode):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), source)
    Copier(target).entry(source, target, found)


def is_mark(found: os.stat_result) -> bool:
    """Whether it stands for a name that was removed."""
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def is_opaque(path: str) -> bool:
    """Whether a folder of an overlay hides the one below it."""
    try:
        return _HAS_XATTRS and os.getxattr(path, _OPAQUE, follow_symlinks=False) == b"y"
    except OSError:
        return False


def _content(path: str) -> bytes:
    with open(path, "rb", buffering=0, opener=lambda name, _: os.open(name, _READ)) as file:
        return file.read(_AT_ONCE)


def _data(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """The parts of a file that are no holes."""
    if not _HAS_HOLES:
        yield 0, size
        return
    end = 0
    while end < size:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole is left
                return
            yield end, size
            return
        end = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, end


def kept_xattrs(path: str) -> list[str]:
    """The attributes of a file that its copies have, too; none where there are none."""
    if not _HAS_XATTRS:
        return []
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        if error.errno in _XATTRS_REFUSED:
            return []
        raise
    return [name for name in names if name not in _OF_ONE_MOUNT]


def _copy_xattrs(source: str, target: str) -> None:
    for name in kept_xattrs(source):
        try:
            value = os.getxattr(source, name, follow_symlinks=False)
            os.setxattr(target, name, value, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _XATTRS_REFUSED:
                raise
