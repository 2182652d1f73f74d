"""File and folder records, and changes to them, as a runtime reports them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class FileStat:
    """What lstat or stat says, with owners as names.

    Attributes:
        mode: The whole `st_mode`, file type included.
        size: Bytes.
        mtime_ns: Nanoseconds since the epoch.
        owner: The user's name inside the sandbox, the decimal id when unknown.
        group: The same for the group.
    """

    mode: int
    size: int
    mtime_ns: int
    owner: str
    group: str


class Change(Enum):
    """The kinds of change a watcher reports; values are envd's enum names."""

    CREATE = "EVENT_TYPE_CREATE"
    WRITE = "EVENT_TYPE_WRITE"
    REMOVE = "EVENT_TYPE_REMOVE"
    RENAME = "EVENT_TYPE_RENAME"
    CHMOD = "EVENT_TYPE_CHMOD"


@dataclass(frozen=True, slots=True)
class FilesystemEvent:
    """One change below a watched folder; `name` is relative to it, ``"."`` is the folder."""

    name: str
    change: Change


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """Bytes of the sandbox's disk."""

    total: int
    used: int
