"""What a sandbox's programs use, read from `/proc`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress

from fake_e2b.domain.entry import DiskUsage
from fake_e2b.domain.ports import ResourceUsage

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class UsageMeter:
    """Turns counters into a percentage: each reading covers the time since the one before.

    Args:
        monotonic_s: A clock that never goes back, in seconds.
    """

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._read_at_s = monotonic_s()
        self._ticks: dict[int, int] = {}

    def read(self, pids: Iterable[int], disk: DiskUsage) -> ResourceUsage:
        """The use by these host processes. Without `/proc` CPU and memory are 0."""
        ticks: dict[int, int] = {}
        memory = shared = 0
        for pid in pids:
            with suppress(OSError):
                with open(f"/proc/{pid}/stat", "rb") as file:
                    fields = file.read().rpartition(b") ")[2].split()
                with open(f"/proc/{pid}/statm", "rb") as file:
                    _, resident, file_pages, *_ = map(int, file.read().split())
                ticks[pid] = int(fields[11]) + int(fields[12])
                memory += (resident - file_pages) * _PAGE
                shared = max(shared, file_pages * _PAGE)
        now_s = self._monotonic_s()
        spent = sum(count - self._ticks.get(pid, 0) for pid, count in ticks.items())
        passed_s = max(now_s - self._read_at_s, 1 / _TICKS)
        self._ticks, self._read_at_s = ticks, now_s
        return ResourceUsage(
            cpu_count=os.cpu_count() or 1,
            cpu_used_pct=round(100 * spent / _TICKS / passed_s, 2),
            mem_total=os.sysconf("SC_PHYS_PAGES") * _PAGE,
            mem_used=memory,
            mem_cache=shared,
            disk=disk,
        )
