"""What the isolated runtime is made of, part by part, and what this machine gives of it."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from fake_e2b.runtime.isolated.cgroups import MemoryGroups
from fake_e2b.runtime.isolated.identity import IdMode
from fake_e2b.runtime.isolated.probe import Grant

# In the order in which a guest comes up; what the kernel's refusal of each begins with.
_NEEDED = (
    (
        "namespaces",
        "users, mounts, processes, names, messages and ports of its own: namespaces",
        re.compile(r"clone|unshare|the map of ids|the ids of|newuidmap|newgidmap"),
    ),
    (
        "overlay",
        "the machine's programs, copied when they are changed: overlayfs",
        re.compile(r"mount (overlay|bind)"),
    ),
    ("proc", "a /proc of its own", re.compile(r"mount proc")),
)
_MEMORY_MB = 64
_PID_LIMIT_SINCE = (6, 14)


@dataclass(frozen=True, slots=True)
class Part:
    """One line of `doctor`.

    Attributes:
        held: Whether this machine gives it.
        advice: Why not, and how to get it; or what takes its place.
    """

    name: str
    text: str
    held: bool
    advice: str = ""


def parts(grant: Grant) -> list[Part]:
    """All of them, needed and optional; blocking."""
    return [*_needed(grant.refusal), *_optional(grant)]


def _needed(refusal: str | None) -> Iterator[Part]:
    refused = False
    for name, text, pattern in _NEEDED:
        if refusal is None:
            yield Part(name, text, held=True)
        elif refused:
            yield Part(name, text, held=False, advice="not tried: what comes before is refused")
        elif pattern.match(refusal) or name == _NEEDED[-1][0]:
            refused = True
            yield Part(name, text, held=False, advice=refusal)
        elif any(other.match(refusal) for _, _, other in _NEEDED):
            yield Part(name, text, held=True)
        else:
            refused = True
            yield Part(name, text, held=False, advice=refusal)


def _optional(grant: Grant) -> Iterator[Part]:
    ids = grant.ids
    yield Part("ids", f"ids for root and user: {ids.mode.value}", ids.really, ids.advice)
    memory = _can_limit_memory()
    instead = "a look at the processes, some times a second, holds limits instead"
    yield Part(
        "memory",
        "limits of memory by the kernel: a control group",
        memory,
        ""
        if memory
        else f"{instead}; run as root, or in a group of your own (systemd-run --user --scope "
        "-p Delegate=yes)",
    )
    processes = ids.mode is not IdMode.HOST or _kernel() >= _PID_LIMIT_SINCE
    yield Part(
        "processes",
        "a limit of processes for all users of a sandbox",
        processes and sys.platform == "linux",
        "" if processes else "the limit spares root before Linux 6.14",
    )
    yield Part("pause", "a pause by signals, which needs no right (no freezer)", held=True)


def _can_limit_memory() -> bool:
    """By making a group and removing it."""
    if sys.platform != "linux":
        return False
    with tempfile.TemporaryDirectory() as folder:
        group = MemoryGroups(f"{folder}/notes").make(_MEMORY_MB)
        if group is not None:
            group.remove()
    return group is not None


def _kernel() -> tuple[int, ...]:
    return tuple(int(re.sub(r"\D.*", "", part) or 0) for part in os.uname().release.split(".")[:2])
