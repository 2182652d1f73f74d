"""Copies of a sandbox's files, sharing blocks where the file system can."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
import sys

_FICLONE = 0x40049409
"""Linux's ioctl that makes one file share another's blocks, copied on write."""


def copy_tree(source: str, target: str) -> None:
    """Make `target` a copy of the folder `source`: modes, times, links, owners, attributes.

    Owners need root, as does nothing else. Sockets are left out: they live with their process.
    What vanishes meanwhile is left out as well.

    Raises:
        OSError: `source` cannot be read, or `target` not be written.
    """
    os.mkdir(target, 0o700)
    with os.scandir(source) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                _copy_entry(entry, f"{target}/{entry.name}")
    _copy_properties(source, target, os.lstat(source))


def _copy_entry(entry: os.DirEntry[str], target: str) -> None:
    if entry.is_dir(follow_symlinks=False):
        copy_tree(entry.path, target)
        return
    found = entry.stat(follow_symlinks=False)
    if stat.S_ISSOCK(found.st_mode):
        return
    if stat.S_ISLNK(found.st_mode):
        os.symlink(os.readlink(entry.path), target)
    elif stat.S_ISREG(found.st_mode):
        _copy_file(entry.path, target)
    else:  # a FIFO, or the mark of an overlay for a name that was removed
        os.mknod(target, found.st_mode, found.st_rdev)
    _copy_properties(entry.path, target, found)


def _copy_file(source: str, target: str) -> None:
    with open(source, "rb") as reading, open(target, "xb") as writing:
        if sys.platform == "linux":
            try:
                fcntl.ioctl(writing.fileno(), _FICLONE, reading.fileno())
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY):
                    raise
            else:
                return
        shutil.copyfileobj(reading, writing, 1 << 20)


def _copy_properties(source: str, target: str, found: os.stat_result) -> None:
    if os.geteuid() == 0:
        os.chown(target, found.st_uid, found.st_gid, follow_symlinks=False)
    shutil.copystat(source, target, follow_symlinks=False)
