"""Which ids this process may give to the users of its guests."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

_WANTED_IDS = 65536
_CAP_SETGID, _CAP_SETUID = 6, 7
_TOOLS = ("newuidmap", "newgidmap")
_TOOL_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

Rows = tuple[tuple[int, int, int], ...]
"""Lines of a map: first id inside, first id outside, how many."""


class IdMode(Enum):
    """Whose ids the guests' users have; the value is what `doctor` prints."""

    HOST = "the machine's own ids, as this process is root"
    SUBORDINATE = "a range of ids that /etc/subuid and /etc/subgid grant, by newuidmap"
    SINGLE = "the one id of the user who runs the fake"


@dataclass(frozen=True, slots=True)
class Ids:
    """What the users of guests are on the machine.

    Attributes:
        uids: Maps of the namespace that grants them, where there is one.
        gids: The same for groups.
        tools: Paths of newuidmap and newgidmap.
        advice: How to get more; empty where nothing is missing.
    """

    mode: IdMode
    uids: Rows = ()
    gids: Rows = ()
    tools: tuple[str, ...] = ()
    advice: str = ""

    @property
    def really(self) -> bool:
        """Whether `root` and `user` have ids of their own."""
        return self.mode is not IdMode.SINGLE

    @property
    def delegated(self) -> bool:
        """Whether files of the guests' users are out of this process's own reach."""
        return self.mode is IdMode.SUBORDINATE

    def refused(self, reason: str) -> Ids:
        """What is left when the machine does not grant these."""
        return Ids(IdMode.SINGLE, advice=reason)

    def namespace(self) -> dict[str, object] | None:
        """What the helper needs to know to enter a namespace that has them."""
        if not self.delegated:
            return None
        return {"uids": self.uids, "gids": self.gids, "tools": self.tools}


def find_ids() -> Ids:
    """The most that this process may use, as far as can be told without trying."""
    if sys.platform != "linux":
        return Ids(IdMode.SINGLE)
    if os.geteuid() == 0:
        if can_map_range():
            return Ids(IdMode.HOST)
        return Ids(IdMode.SINGLE, advice="this root has few ids, or may not use them: a container?")
    return _subordinate()


def can_map_range() -> bool:
    """Whether the guests' users can have ids of the machine.

    Being root says little: inside a container root may have a single id, or no right to use others.
    """
    if os.geteuid() != 0:
        return False
    ids = sum(int(line.split()[2]) for line in Path("/proc/self/uid_map").read_text().splitlines())
    if ids < _WANTED_IDS:
        return False
    held = int(_status("CapEff"), 16)
    return all(held >> number & 1 for number in (_CAP_SETGID, _CAP_SETUID))


def _subordinate() -> Ids:
    tools = [shutil.which(name, path=_TOOL_PATH) for name in _TOOLS]
    found = tuple(tool for tool in tools if tool is not None)
    if len(found) < len(_TOOLS):
        return _single("install newuidmap (apt install uidmap, dnf install shadow-utils)")
    if _status("NoNewPrivs") == "1":
        return _single("newuidmap cannot work: no_new_privs is set for this process")
    for tool in found:
        if not _has_rights(tool):
            return _single(f"{tool} lacks its rights: chmod u+s {tool}")
    name = _own_name()
    rows: list[Rows] = []
    for own, path in ((os.geteuid(), "/etc/subuid"), (os.getegid(), "/etc/subgid")):
        granted = tuple(_granted(path, name))
        count = sum(row[2] for row in granted)
        if count < _WANTED_IDS - 1:
            grant = f"{name}:100000:{_WANTED_IDS}"
            has = f"grants {name} {count} ids" if count else f"has no line for {name}"
            return _single(f"{path} {has}: add the line {grant} (or a range that nobody else has)")
        rows.append(((0, own, 1), *granted))
    return Ids(IdMode.SUBORDINATE, rows[0], rows[1], found)


def _single(advice: str) -> Ids:
    return Ids(IdMode.SINGLE, advice=advice)


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _granted(path: str, name: str) -> Iterator[tuple[int, int, int]]:
    """The ranges for a user, mapped to the ids from 1 on."""
    inside = 1
    for first, count in _lines(path, {name, str(os.geteuid())}):
        count = min(count, _WANTED_IDS - inside)
        if count > 0:
            yield inside, first, count
            inside += count


def _lines(path: str, names: Iterable[str]) -> Iterator[tuple[int, int]]:
    with suppress(OSError), open(path) as file:
        for line in file:
            fields = line.strip().split(":")
            if len(fields) == 3 and fields[0] in names:
                with suppress(ValueError):
                    yield int(fields[1]), int(fields[2])


def _has_rights(tool: str) -> bool:
    """Whether it runs as root, or with the capabilities it needs."""
    with suppress(OSError):
        found = os.stat(tool)
        if found.st_uid == 0 and found.st_mode & stat.S_ISUID:
            return True
        return bool(os.getxattr(tool, "security.capability"))
    return False


def _status(name: str) -> str:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return line.split()[1]
    return "0"
