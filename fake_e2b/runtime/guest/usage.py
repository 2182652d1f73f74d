"""What programs use, counted by the agent that can see all of them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

_PAGE = os.sysconf("SC_PAGE_SIZE")
_LONGEST_LINE = 64 << 10


class Counters(NamedTuple):
    """Ticks of CPU since their start, those of dead children included; bytes in memory."""

    ticks: int = 0
    memory: int = 0
    in_files: int = 0


def count(pids: Iterable[int], proc: int | None = None) -> Counters:
    """Add up what processes use; nothing where there is no `/proc`.

    Args:
        proc: The open folder that lists them; None for this machine's `/proc`.
    """
    ticks = memory = in_files = 0
    for pid in pids:
        with suppress(OSError):
            fields = _read(f"{pid}/stat", proc).rpartition(b") ")[2].split()
            _, resident, shared, *_ = map(int, _read(f"{pid}/statm", proc).split())
            # A process that was waited for is in the counts of the one that waited.
            ticks += sum(map(int, fields[11:15]))
            memory += (resident - shared) * _PAGE
            in_files = max(in_files, shared * _PAGE)
    return Counters(ticks, memory, in_files)


def programs(pids: Iterable[int], proc: int | None = None) -> list[tuple[int, list[str], int]]:
    """PID, arguments and bytes of memory of each process that lives.

    Args:
        proc: As for `count`.
    """
    found: list[tuple[int, list[str], int]] = []
    for pid in pids:
        with suppress(OSError):
            _, resident, shared, *_ = map(int, _read(f"{pid}/statm", proc).split())
            arguments = _read(f"{pid}/cmdline", proc, _LONGEST_LINE).rstrip(b"\0")
            if resident:  # the dead, who wait to be reaped, have no memory
                shown = [each.decode("utf-8", "replace") for each in arguments.split(b"\0")]
                found.append((pid, shown, (resident - shared) * _PAGE))
    return found


def _read(path: str, proc: int | None, most: int = 4096) -> bytes:
    where = path if proc is not None else f"/proc/{path}"
    descriptor = os.open(where, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
    try:
        return os.read(descriptor, most)
    finally:
        os.close(descriptor)
