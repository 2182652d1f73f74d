"""The kernel's own limit of memory, where it lets this process set one: control groups.

A group is made below the one this process is in (version 1), or beside it, where the memory of
groups is accounted for (version 2: a group with processes has no groups with limits below it).
Whoever may make none is told so and takes `fake_e2b.runtime.guest.memory` instead.
"""

from __future__ import annotations

import itertools
import os
import time
from contextlib import suppress
from pathlib import Path

_PREFIX = "fake-e2b-"
_MIB = 1 << 20
_REMOVAL_DEADLINE_S = 2.0
_PAUSE_S = 0.002
_ESCAPES = {"\\040": " ", "\\011": "\t", "\\134": "\\"}


class MemoryGroup:
    """One group; its limit holds for every process that is put in and for their children."""

    def __init__(self, path: str) -> None:
        self.path = path

    @property
    def members(self) -> str:
        """The file that a process writes "0" to, to become a member."""
        return f"{self.path}/cgroup.procs"

    def add(self, pid: int) -> None:
        """Make a process a member.

        Raises:
            OSError: The kernel refuses.
        """
        Path(self.members).write_text(str(pid))

    def remove(self) -> None:
        """Remove it once its processes are gone; blocking. What resists is left to a sweep."""
        deadline = time.monotonic() + _REMOVAL_DEADLINE_S
        while True:
            try:
                os.rmdir(self.path)
            except FileNotFoundError:
                return
            except OSError:
                if time.monotonic() > deadline:
                    return
                time.sleep(_PAUSE_S)
            else:
                return


class MemoryGroups:
    """Makes them. Nothing is touched before the first `make`.

    Args:
        notes: A file for the paths of what was made; the helper removes them at its end, in case
            this process was killed.
    """

    def __init__(self, notes: str) -> None:
        self._notes = notes
        self._parent: tuple[str, int] | None = _parent()
        self._numbers = itertools.count()

    def make(self, limit_mb: int) -> MemoryGroup | None:
        """A group with a limit; None where this process may not make one."""
        if self._parent is None:
            return None
        parent, version = self._parent
        path = f"{parent}/{_PREFIX}{os.getpid()}-{next(self._numbers)}"
        try:
            with open(self._notes, "a") as file:
                file.write(f"{path}\n")
            os.mkdir(path)
        except OSError:
            self._parent = None
            return None
        limit = str(limit_mb * _MIB)
        try:
            if version == 1:
                Path(f"{path}/memory.limit_in_bytes").write_text(limit)
                with suppress(OSError):  # where swap is not accounted for
                    Path(f"{path}/memory.memsw.limit_in_bytes").write_text(limit)
            else:
                Path(f"{path}/memory.max").write_text(limit)
                with suppress(OSError):
                    Path(f"{path}/memory.swap.max").write_text("0")
        except OSError:
            os.rmdir(path)
            self._parent = None
            return None
        return MemoryGroup(path)

    def sweep(self) -> None:
        """Remove what servers left that were killed."""
        if self._parent is None:
            return
        with suppress(OSError):
            for name in os.listdir(self._parent[0]):
                owner = name.removeprefix(_PREFIX).partition("-")[0]
                if name.startswith(_PREFIX) and not os.path.exists(f"/proc/{owner}"):
                    with suppress(OSError):
                        os.rmdir(f"{self._parent[0]}/{name}")


def _parent() -> tuple[str, int] | None:
    """Where groups with a limit of memory can be made, and of which version they are."""
    try:
        groups = Path("/proc/self/cgroup").read_text()
        mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    except OSError:
        return None
    rows = [line.split(":", 2) for line in groups.splitlines()]
    for _, controllers, own in rows:
        if "memory" in controllers.split(","):
            found = _mounted(mounts, "cgroup", own)
            if found is not None and os.access(found, os.W_OK):
                return found, 1
    for number, controllers, own in rows:
        if number == "0" and not controllers:
            found = _mounted(mounts, "cgroup2", own)
            for path in () if found is None else (found, os.path.dirname(found)):
                if _accounts_for_memory(path) and os.access(path, os.W_OK):
                    return path, 2
    return None


def _mounted(mounts: list[list[str]], kind: str, own: str) -> str | None:
    """The folder of this process's own group."""
    for fields in mounts:
        root, target = _unescaped(fields[3]), _unescaped(fields[4])
        after = fields[fields.index("-") + 1 :]
        is_memory = kind == "cgroup2" or "memory" in after[2].split(",")
        if after[0] == kind and is_memory and (own + "/").startswith(root.rstrip("/") + "/"):
            return os.path.normpath(f"{target}/{own.removeprefix(root)}")
    return None


def _unescaped(text: str) -> str:
    for escape, character in _ESCAPES.items():
        text = text.replace(escape, character)
    return text


def _accounts_for_memory(path: str) -> bool:
    try:
        return "memory" in Path(f"{path}/cgroup.subtree_control").read_text().split()
    except OSError:
        return False
