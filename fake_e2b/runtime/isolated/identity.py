"""Which ids this process may give to the users of its guests."""

from __future__ import annotations

import os
from pathlib import Path

_WANTED_IDS = 65536
_CAP_SETGID, _CAP_SETUID = 6, 7


def can_map_range() -> bool:
    """Whether the guests' users can have ids of their own.

    Being root says little: inside a container root may have a single id, or no right to use others.
    """
    if os.geteuid() != 0:
        return False
    ids = sum(int(line.split()[2]) for line in Path("/proc/self/uid_map").read_text().splitlines())
    if ids < _WANTED_IDS:
        return False
    status = Path("/proc/self/status").read_text()
    held = int(
        next(line for line in status.splitlines() if line.startswith("CapEff")).split()[1], 16
    )
    return all(held >> number & 1 for number in (_CAP_SETGID, _CAP_SETUID))
