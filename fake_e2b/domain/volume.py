"""Volumes: folders of a team that outlive sandboxes, and what is shown of their files."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from enum import StrEnum

from fake_e2b.domain.ids import TeamID, VolumeID

MAX_NAME = 250
NAME_PATTERN = r"^[a-zA-Z0-9_-]+$"
"""What the API's document asks of a name; how long it may be, it does not say."""
OWNER = 9090
"""User and group of what is made without naming any. Fact: volumes.content.defaults"""
FOLDER_MODE = 0o777
FILE_MODE = 0o666
MAX_MODE = 0o7777
_ID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")


class EntryType(StrEnum):
    """What an entry is, or what it leads to."""

    UNKNOWN = "unknown"
    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume."""

    volume_id: VolumeID
    team_id: TeamID
    name: str


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume in a sandbox.

    Attributes:
        path: Where, absolute and clean.
    """

    volume_id: VolumeID
    path: str


@dataclass(frozen=True, slots=True)
class VolumeEntry:
    """One file, folder or link of a volume.

    Attributes:
        path: Absolute in the volume.
        size: Bytes.
        mode: Permission bits.
        atime_ns, mtime_ns, ctime_ns: Instants, see `domain.clock`.
        target: For a link: the path it leads to, or its text where it leads nowhere.
    """

    path: str
    type: EntryType
    size: int
    mode: int
    uid: int
    gid: int
    atime_ns: int
    mtime_ns: int
    ctime_ns: int
    target: str | None = None

    @property
    def name(self) -> str:
        """The last component; that of the volume itself is a slash."""
        return posixpath.basename(self.path) or "/"


def volume_id(text: str) -> VolumeID | None:
    """The ID in any usual spelling of a UUID; None for what is none.

    >>> volume_id("0A" * 16)
    '0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a'
    """
    text = text.lower()
    if not _ID.fullmatch(text):
        return None
    digits = text.replace("-", "")
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return VolumeID("-".join(parts))


def clean_path(text: str) -> str:
    """A path made absolute and clean: `..` cannot get out.

    >>> clean_path("a//../../b/")
    '/b'
    """
    return posixpath.normpath("/" + text.lstrip("/"))
