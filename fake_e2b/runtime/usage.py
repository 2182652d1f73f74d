"""What a sandbox uses: rates from counters, and the size of its files."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence

from fake_e2b.domain.entry import DiskUsage
from fake_e2b.domain.ports import ResourceUsage
from fake_e2b.runtime.guest.usage import Counters

MOST_ENTRIES = 200_000
"""Files and folders that are looked at to know how much a sandbox holds."""

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_BLOCK = 512
_REST = 10
_SHORTEST_S = 0.05


class UsageMeter:
    """Turns counters into a percentage: each reading covers the time since the one before.

    One that follows at once repeats the last: the kernel counts in hundredths of a second.

    Args:
        monotonic_s: A clock that never goes back, in seconds.
    """

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._read_at_s = monotonic_s()
        self._ticks = 0
        self._cpu_used_pct = 0.0

    def restart(self) -> None:
        """Let the next reading cover the time from now on."""
        self._read_at_s = self._monotonic_s()

    def read(self, counters: Counters, disk: DiskUsage, mem_total: int | None) -> ResourceUsage:
        """What is used now; 100 % is one CPU that was never idle.

        Args:
            mem_total: The limit of memory in bytes; None for the machine's own.
        """
        cpu_count = os.cpu_count() or 1
        now_s = self._monotonic_s()
        passed_s = now_s - self._read_at_s
        if passed_s >= _SHORTEST_S:
            spent_s = max(counters.ticks - self._ticks, 0) / _TICKS
            self._ticks, self._read_at_s = counters.ticks, now_s
            self._cpu_used_pct = round(min(100 * spent_s / passed_s, 100.0 * cpu_count), 2)
        return ResourceUsage(
            cpu_count=cpu_count,
            cpu_used_pct=self._cpu_used_pct,
            mem_total=mem_total or os.sysconf("SC_PHYS_PAGES") * _PAGE,
            mem_used=counters.memory,
            mem_cache=counters.in_files,
            disk=disk,
        )


class DiskMeter:
    """How much a sandbox without a limit holds of the disk, and how much it could.

    Looking again waits ten times as long as looking took, so that a sandbox with very many files
    costs no more than a tenth of a CPU, however often somebody asks.

    Args:
        folders: Where its files are.
        below: Bytes that it shares with others and sees as its own.
        measure: As `size_of`.
    """

    def __init__(
        self,
        folders: Callable[[], Sequence[str]],
        below: int = 0,
        measure: Callable[[Sequence[str]], int] | None = None,
    ) -> None:
        self._folders = folders
        self._below = below
        self._measure = measure or size_of
        self._lock = asyncio.Lock()
        self._again_s = 0.0
        self._found = DiskUsage(total=0, used=0)

    async def read(self) -> DiskUsage:
        """The use; looked up in a worker thread.

        Raises:
            OSError: The folders are gone.
        """
        async with self._lock:
            began_s = time.monotonic()
            if began_s >= self._again_s:
                self._found = await asyncio.to_thread(self._look)
                ended_s = time.monotonic()
                self._again_s = ended_s + _REST * (ended_s - began_s)
        return self._found

    def _look(self) -> DiskUsage:
        folders = self._folders()
        status = os.statvfs(folders[0])
        used = self._below + self._measure(folders)
        return DiskUsage(total=used + status.f_bavail * status.f_frsize, used=used)


def size_of(folders: Sequence[str]) -> int:
    """Bytes that files take on the disk, each counted once; unreadable folders are left out."""
    pending, size, seen = list(folders), 0, 0
    linked: set[tuple[int, int]] = set()
    while pending and seen < MOST_ENTRIES:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    found = entry.stat(follow_symlinks=False)
                    seen += 1
                    if found.st_nlink > 1 and not entry.is_dir(follow_symlinks=False):
                        if (found.st_dev, found.st_ino) in linked:
                            continue
                        linked.add((found.st_dev, found.st_ino))
                    size += found.st_blocks * _BLOCK
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        except OSError:
            continue
    return size
