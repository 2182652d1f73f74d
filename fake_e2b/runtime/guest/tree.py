"""The processes below one process, and what is done to all of them: stop, continue, kill."""

from __future__ import annotations

import contextlib
import os
import signal
import time

from .tools import run_tool

_STOP_DEADLINE_S = 1.0
_POLL_S = 0.0002


class ProcessRow:
    """One line of the process table."""

    __slots__ = ("parent", "pid", "state")

    def __init__(self, pid: int, parent: int, state: str) -> None:
        self.pid = pid
        self.parent = parent
        self.state = state


def _row(pid: int) -> ProcessRow | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b") ")[2].split()
    except OSError:
        return None
    return ProcessRow(pid, int(fields[1]), fields[0].decode())


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as file:
            found += map(int, file.read().split())
    return found


def _table() -> list[ProcessRow]:
    """Every process the caller can see."""
    if os.path.isdir("/proc/self"):
        rows = (_row(int(name)) for name in os.listdir("/proc") if name.isdigit())
        return [row for row in rows if row is not None]
    listing = run_tool("/bin/ps", "-axo", "pid=,ppid=,stat=").decode()
    return [
        ProcessRow(int(pid), int(parent), state[:1])
        for pid, parent, state in (line.split(None, 2) for line in listing.splitlines())
    ]


def descendants(root: int) -> list[ProcessRow]:
    """All processes below `root`, parents before their children."""
    found: list[ProcessRow] = []
    if os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        queue = _children(root)
        seen = set(queue)
        while queue:
            row = _row(queue.pop(0))
            if row is None:
                continue
            found.append(row)
            fresh = [pid for pid in _children(row.pid) if pid not in seen]
            seen.update(fresh)
            queue += fresh
        return found
    by_parent: dict[int, list[ProcessRow]] = {}
    for row in _table():
        by_parent.setdefault(row.parent, []).append(row)
    level = by_parent.get(root, [])
    while level:
        found += level
        level = [child for row in level for child in by_parent.get(row.pid, [])]
    return found


def stop(root: int, *, spare: frozenset[int] = frozenset()) -> list[int]:
    """Stop every process below `root` but those in `spare`; return those it stopped, in order.

    A shell that sees its child stopped takes it for Ctrl+Z and goes on with its next command.
    So a parent has really stopped before its child is told to, and what stood still before is
    left alone. Rounds go on until one finds nothing new: a process may fork while it is stopped.
    """
    done: set[int] = set()
    order: list[int] = []
    while True:
        fresh = [row for row in descendants(root) if row.pid not in done and row.state not in "ZX"]
        if not fresh:
            return order
        parents = {row.parent for row in fresh}
        for row in fresh:
            done.add(row.pid)
            if row.state in "Tt":
                continue
            try:
                os.kill(row.pid, signal.SIGSTOP)
            except OSError:
                continue
            order.append(row.pid)
            if row.pid in parents:
                _wait_until_stopped(row.pid)
        for row in fresh:
            _wait_until_stopped(row.pid)


def _wait_until_stopped(pid: int) -> None:
    deadline = time.monotonic() + _STOP_DEADLINE_S
    while time.monotonic() < deadline:
        row = _row(pid)
        if row is None or row.state in "TtZX":
            return
        time.sleep(_POLL_S)


def resume(order: list[int]) -> None:
    """Let what `stop` stopped go on, children before their parents."""
    for pid in reversed(order):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGCONT)


def kill_round(root: int, *, keep: frozenset[int] = frozenset()) -> int:
    """Kill every living process below `root` and return their number.

    The caller reaps and calls again until nothing is left: what forked meanwhile is found then.
    `keep` names children of `root` to spare, with all that is below them.
    """
    spared = set(keep)
    alive = []
    for row in descendants(root):
        if row.pid in spared or row.parent in spared:
            spared.add(row.pid)
        elif row.state not in "ZX":
            alive.append(row.pid)
    for number in (signal.SIGSTOP, signal.SIGKILL):  # all stand still before the first one dies
        for pid in alive:
            with contextlib.suppress(OSError):
                os.kill(pid, number)
    return len(alive)
