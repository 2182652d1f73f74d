"""A guest's limit of memory where the kernel keeps none: its PID 1 looks and kills.

What counts is what programs have for themselves and what lies in `/dev/shm`; files do not. The
more room there is, the longer until the next look. When there is none, the program that holds most
is killed, as the kernel's own out-of-memory killer does.

Fact: sandbox.memory.limit
"""

from __future__ import annotations

import os
import signal
from collections.abc import Collection
from contextlib import suppress

_PAGE = os.sysconf("SC_PAGE_SIZE")
_KIB = 1024
_MIB = 1 << 20
_FASTEST_GROWTH = 2 << 30
"""Bytes a second by which two cores can fill memory, about."""
_SHORTEST_S = 0.005
_LONGEST_S = 0.5


class MemoryWatch:
    """Looks at the processes of its own PID namespace.

    Args:
        limit_mb: MiB.
        proc: The open folder that lists them.
    """

    def __init__(self, limit_mb: int, proc: int) -> None:
        self._limit = limit_mb * _MIB
        self._proc = proc
        self._shared = os.open("/dev/shm", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def look(self, spared: Collection[int]) -> float:
        """Kill one program if there is too much in memory.

        Args:
            spared: Processes that are not killed; PID 1 never is.

        Returns:
            Seconds until the next look.
        """
        held = self._held(exactly=False)
        left = self._limit - self._in_files() - sum(held.values())
        if left < 0:
            # Pages that forks share were counted once for each.
            held = self._held(exactly=True)
            left = self._limit - self._in_files() - sum(held.values())
        if left < 0:
            programs = held.keys() - set(spared) - {1}
            if programs:
                with suppress(ProcessLookupError):
                    os.kill(max(programs, key=held.__getitem__), signal.SIGKILL)
        return min(max(left / _FASTEST_GROWTH, _SHORTEST_S), _LONGEST_S)

    def _in_files(self) -> int:
        status = os.fstatvfs(self._shared)
        return (status.f_blocks - status.f_bfree) * status.f_frsize

    def _held(self, *, exactly: bool) -> dict[int, int]:
        found: dict[int, int] = {}
        for name in os.listdir(self._proc):
            if name.isdigit():
                with suppress(OSError):
                    size = self._proportional(name) if exactly else None
                    found[int(name)] = self._resident(name) if size is None else size
        return found

    def _resident(self, pid: str) -> int:
        _, resident, in_files, *_ = map(int, self._read(f"{pid}/statm").split())
        return (resident - in_files) * _PAGE

    def _proportional(self, pid: str) -> int | None:
        """None when its owner lets nobody look."""
        try:
            for line in self._read(f"{pid}/smaps_rollup").splitlines():
                if line.startswith(b"Pss_Anon:"):
                    return int(line.split()[1]) * _KIB
        except OSError:
            return None
        return 0  # a zombie

    def _read(self, path: str) -> bytes:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._proc)
        try:
            return os.read(descriptor, 4096)
        finally:
            os.close(descriptor)
