"""The machine that the fake runs on: its processors, memory and disks, as they are.

All of it comes from `/proc`; elsewhere than on Linux what only that tells is empty or zero.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from fake_e2b.domain.node import Disk, HostState, HugePages, Processor

_KIB = 1024
_ESCAPES = {"\\040": " ", "\\011": "\t", "\\012": "\n", "\\134": "\\"}


class ThisMachine:
    """Looks at this machine.

    Args:
        proc: Where the kernel tells of it.
    """

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = Path(proc)
        self._busy, self._all = self._ticks()
        self._cpu_percent = 0

    async def look(self) -> HostState:
        """The machine as it is now; read in a worker thread, for a disk may be slow."""
        return await asyncio.to_thread(self._look)

    def _look(self) -> HostState:
        memory = dict(self._memory())
        total = memory.get("MemTotal", 0) * _KIB or _physical_memory()
        free = memory.get("MemAvailable", 0) * _KIB
        return HostState(
            processor=self._processor,
            cpu_count=os.cpu_count() or 1,
            cpu_percent=self._busy_percent(),
            memory_used_bytes=total - free if free else 0,
            memory_total_bytes=total,
            huge_pages=HugePages(
                total=memory.get("HugePages_Total", 0),
                used=memory.get("HugePages_Total", 0) - memory.get("HugePages_Free", 0),
                reserved=memory.get("HugePages_Rsvd", 0),
                size_bytes=memory.get("Hugepagesize", 0) * _KIB,
            ),
            disks=tuple(self._disks()),
        )

    def _read(self, name: str) -> list[str]:
        try:
            return (self._proc / name).read_text("utf-8", "replace").splitlines()
        except OSError:
            return []

    @cached_property
    def _processor(self) -> Processor:
        said: dict[str, str] = {}
        for line in self._read("cpuinfo"):
            name, _, value = line.partition(":")
            said.setdefault(name.strip(), value.strip())
        return Processor(
            family=said.get("cpu family", ""),
            model=said.get("model", ""),
            model_name=said.get("model name", ""),
            architecture=platform.machine(),
        )

    def _ticks(self) -> tuple[int, int]:
        """The time that all CPUs together were busy, and the time there was."""
        for line in self._read("stat"):
            name, *numbers = line.split()
            if name == "cpu":
                # user nice system idle iowait irq softirq steal; guests are in the first already.
                spent = [int(each) for each in numbers[:8]]
                return sum(spent) - sum(spent[3:5]), sum(spent)
        return 0, 0

    def _busy_percent(self) -> int:
        busy, together = self._ticks()
        passed = together - self._all
        if passed > 0:  # else it was asked in the same hundredth of a second
            self._cpu_percent = round(100 * (busy - self._busy) / passed)
            self._busy, self._all = busy, together
        return self._cpu_percent

    def _memory(self) -> Iterator[tuple[str, int]]:
        for line in self._read("meminfo"):
            name, _, value = line.partition(":")
            number = value.split()[:1]
            if number and number[0].isdigit():
                yield name, int(number[0])

    def _disks(self) -> Iterator[Disk]:
        """Every file system on a device, and the root's; one that is bound twice comes once."""
        seen: set[str] = set()
        for line in self._read("self/mountinfo") or ["0 0 0:0 / / - - - -"]:
            before, _, after = line.partition(" - ")
            _, _, number, _, point, *_ = before.split()
            kind, device, *_ = (*after.split(), "", "")
            place = _unescaped(point)
            if number in seen or not (device.startswith("/dev/") or place == "/"):
                continue
            with suppress(OSError):
                if not os.path.isdir(place):
                    continue  # a single file that is bound
                room = os.statvfs(place)
                seen.add(number)
                used = (room.f_blocks - room.f_bfree) * room.f_frsize
                yield Disk(place, _unescaped(device), kind, used, room.f_blocks * room.f_frsize)


def _unescaped(text: str, escapes: Mapping[str, str] = _ESCAPES) -> str:
    for escape, character in escapes.items():
        text = text.replace(escape, character)
    return text


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0
