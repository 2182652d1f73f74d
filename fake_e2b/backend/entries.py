"""Entries of the Filesystem service, built from what the files port says."""

from __future__ import annotations

import errno
import stat
from collections.abc import Mapping

from fake_e2b.domain.entry import EntryInfo, EntryKind, FileStat
from fake_e2b.domain.file_ports import Files

METADATA_PREFIX = "user.e2b."
"""What the extended attributes that hold metadata start with."""

_PERMISSION_BITS = 0o777
# The letters of Go's file modes, in their order; a bit of st_mode or a file type.
_LETTERS = (
    ("d", stat.S_ISDIR),
    ("L", stat.S_ISLNK),
    ("D", lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode)),
    ("p", stat.S_ISFIFO),
    ("S", stat.S_ISSOCK),
    ("u", lambda mode: mode & stat.S_ISUID),
    ("g", lambda mode: mode & stat.S_ISGID),
    ("c", stat.S_ISCHR),
    ("t", lambda mode: mode & stat.S_ISVTX),
)


def entry_of(files: Files, path: str, *, shown: str | None = None) -> EntryInfo:
    """What is at a path, the path's last link not followed.

    Args:
        shown: The path that the entry carries; None means `path`.

    Raises:
        OSError: Of the lstat.

    Fact: envd.entry.*
    """
    status = files.lstat(path)
    shown = path if shown is None else shown
    kind, mode = _kind(status.mode), status.mode & _PERMISSION_BITS
    target = None
    if stat.S_ISLNK(status.mode):
        kind, mode, target = _behind_link(files, path, shown)
    return EntryInfo(
        name=base_name(shown),
        kind=kind,
        path=shown,
        size=status.size,
        mode=mode,
        permissions=permissions(status.mode),
        owner=status.owner,
        group=status.group,
        mtime_ns=status.mtime_ns,
        symlink_target=target,
        metadata={} if kind is None else metadata_of(files, path),
    )


def _behind_link(files: Files, path: str, shown: str) -> tuple[EntryKind | None, int, str]:
    try:
        target = files.realpath(path)
        status: FileStat = files.lstat(target)
    except OSError:
        return None, 0, shown
    return _kind(status.mode), status.mode & _PERMISSION_BITS, target


def _kind(mode: int) -> EntryKind | None:
    if stat.S_ISREG(mode):
        return EntryKind.FILE
    return EntryKind.FOLDER if stat.S_ISDIR(mode) else None


def metadata_of(files: Files, path: str) -> Mapping[str, str]:
    """What uploads stored with a file; pairs that are no UTF-8 are left out."""
    found: dict[str, str] = {}
    try:
        attributes = files.xattrs(path)
    except OSError:
        return found
    for name, value in attributes.items():
        if name.startswith(METADATA_PREFIX):
            try:
                key = name[len(METADATA_PREFIX) :]
                key.encode()
                found[key] = value.decode()
            except UnicodeError:
                continue
    return found


def permissions(mode: int) -> str:
    """Go's text for a file mode, e.g. ``"dtrwxrwxrwx"``. Fact: envd.entry.permissions"""
    letters = "".join(letter for letter, is_set in _LETTERS if is_set(mode)) or "-"
    bits = "".join(
        letter if mode >> (8 - position) & 1 else "-" for position, letter in enumerate("rwxrwxrwx")
    )
    return letters + bits


def base_name(path: str) -> str:
    """The last component; ``"/"`` for the root; a slash at the end does not count."""
    return path.rstrip("/").rpartition("/")[2] or "/"


def go_reason(error: OSError) -> str:
    """The operating system's text as Go writes it, e.g. ``"no such file or directory"``.

    By number, so that it is the same wherever the fake runs.
    """
    number = error.errno or 0
    text = _REASONS.get(number) or error.strerror or f"errno {number}"
    return text[:1].lower() + text[1:]


# Where the C libraries' texts differ from Linux's, or are known to the service's clients.
_REASONS: Mapping[int, str] = {
    errno.EPERM: "operation not permitted",
    errno.ENOENT: "no such file or directory",
    errno.ENXIO: "no such device or address",
    errno.EACCES: "permission denied",
    errno.EBUSY: "device or resource busy",
    errno.EEXIST: "file exists",
    errno.EXDEV: "invalid cross-device link",
    errno.ENOTDIR: "not a directory",
    errno.EISDIR: "is a directory",
    errno.EINVAL: "invalid argument",
    errno.ENOSPC: "no space left on device",
    errno.EROFS: "read-only file system",
    errno.ENAMETOOLONG: "file name too long",
    errno.ENOTEMPTY: "directory not empty",
    errno.ELOOP: "too many levels of symbolic links",
    errno.ENOTSUP: "operation not supported",
}
