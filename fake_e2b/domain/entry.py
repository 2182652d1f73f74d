"""File and folder records, and changes to them, as a runtime reports them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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


class EntryKind(Enum):
    """What an entry is, for those kinds that envd names; values are its enum names."""

    FILE = "FILE_TYPE_FILE"
    FOLDER = "FILE_TYPE_DIRECTORY"


@dataclass(frozen=True, slots=True)
class EntryInfo:
    """A file or folder as envd's Filesystem service shows it.

    Attributes:
        name: The last component of `path`.
        kind: A symlink has its target's; None for what is neither file nor folder, and for a
            link that leads nowhere.
        path: As it was asked for, absolute.
        size: Bytes; of a symlink, the length of its text.
        mode: The lowest nine bits; of a symlink, its target's.
        permissions: In Go's form, e.g. ``"drwxr-xr-x"``; of a symlink, its own.
        mtime_ns: Nanoseconds since the epoch.
        symlink_target: Where a symlink leads in the end, its own path if nowhere; else None.
        metadata: What uploads stored with the file.
    """

    name: str
    kind: EntryKind | None
    path: str
    size: int
    mode: int
    permissions: str
    owner: str
    group: str
    mtime_ns: int
    symlink_target: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


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
