"""The inotify calls of Linux, which the standard library does not offer."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from enum import IntFlag
from typing import NamedTuple

IS_AVAILABLE = sys.platform == "linux"

_HEADER = struct.Struct("iIII")
_READ_BYTES = 256 * 1024
_LIBC = ctypes.CDLL(None, use_errno=True)


class Mask(IntFlag):
    """Bits of `struct inotify_event` and of `inotify_add_watch`."""

    MODIFY = 0x2
    ATTRIB = 0x4
    MOVED_FROM = 0x40
    MOVED_TO = 0x80
    CREATE = 0x100
    DELETE = 0x200
    DELETE_SELF = 0x400
    MOVE_SELF = 0x800
    UNMOUNT = 0x2000
    OVERFLOW = 0x4000
    IGNORED = 0x8000
    ONLYDIR = 0x1000000
    ISDIR = 0x40000000


_WATCHED = int(
    Mask.MODIFY
    | Mask.ATTRIB
    | Mask.MOVED_FROM
    | Mask.MOVED_TO
    | Mask.CREATE
    | Mask.DELETE
    | Mask.DELETE_SELF
    | Mask.MOVE_SELF
    | Mask.ONLYDIR
)


class RawEvent(NamedTuple):
    """One kernel event; `name` is "" for the watched folder itself."""

    watch: int
    mask: int
    cookie: int
    name: str


class Inotify:
    """One inotify instance; the kernel gives a user 128 of them.

    Raises:
        OSError: EMFILE: the user has too many.
    """

    def __init__(self) -> None:
        self.descriptor: int = _LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.descriptor < 0:
            raise _last_error()

    def add(self, folder: int) -> int:
        """Watch an open folder; the same folder always has the same watch number.

        Raises:
            OSError: ENOSPC when the user has too many watches; ENOTDIR, EACCES, ENOENT.
        """
        # By descriptor: whatever the folder's path has become, it is the folder that was meant.
        path = f"/proc/self/fd/{folder}".encode()
        number: int = _LIBC.inotify_add_watch(self.descriptor, path, _WATCHED)
        if number < 0:
            raise _last_error()
        return number

    def remove(self, watch: int) -> None:
        """Stop a watch; nothing to do if the kernel dropped it already."""
        _LIBC.inotify_rm_watch(self.descriptor, watch)

    def read(self) -> list[RawEvent]:
        """Events that wait, some thousand at most; empty when there are none."""
        try:
            data = os.read(self.descriptor, _READ_BYTES)
        except BlockingIOError:
            return []
        events = []
        at = 0
        while at < len(data):
            watch, mask, cookie, length = _HEADER.unpack_from(data, at)
            at += _HEADER.size
            name = data[at : at + length].rstrip(b"\0")
            at += length
            events.append(RawEvent(watch, mask, cookie, os.fsdecode(name)))
        return events

    def close(self) -> None:
        """End every watch."""
        os.close(self.descriptor)


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
