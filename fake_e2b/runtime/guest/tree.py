"""The processes below one process, and what is done to all of them: stop, continue, kill."""

from __future__ import annotations

import contextlib
import os
import signal
import time

from .tools import run_tool

_STOP_DEADLINE_S = 1.0
_POLL_S = 0.0002
_VOLLEYS = 40
_AWAKE = "RS"
"""Running or about to, as opposed to stopped, dying, or waiting where no signal reaches it."""
_STAT_SIZE = 4096


class ProcessRow:
    """One line of the process table."""

    __slots__ = ("parent", "pid", "state")

    def __init__(self, pid: int, parent: int, state: str) -> None:
        self.pid = pid
        self.parent = parent
        self.state = state


def open_proc() -> int:
    """A descriptor of `/proc` as it is now: what is mounted over it later does not matter."""
    return os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _row(pid: int, proc: int | None = None) -> ProcessRow | None:
    try:
        path = f"/proc/{pid}/stat" if proc is None else f"{pid}/stat"
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
        try:
            fields = os.read(file, _STAT_SIZE).rpartition(b") ")[2].split(None, 2)
        finally:
            os.close(file)
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


def _table(proc: int | None) -> list[ProcessRow]:
    """Every process the caller can see."""
    if proc is not None or os.path.isdir("/proc/self"):
        names = os.listdir("/proc" if proc is None else proc)
        rows = (_row(int(name), proc) for name in names if name.isdigit())
        return [row for row in rows if row is not None]
    listing = run_tool("/bin/ps", "-axo", "pid=,ppid=,stat=").decode()
    return [
        ProcessRow(int(pid), int(parent), state[:1])
        for pid, parent, state in (line.split(None, 2) for line in listing.splitlines())
    ]


def descendants(root: int, proc: int | None = None) -> list[ProcessRow]:
    """All processes below `root`, parents before their children.

    Args:
        proc: From `open_proc`, where it shows few other processes: they are gone through one by
            one, which takes a third of the time.
    """
    found: list[ProcessRow] = []
    if proc is None and os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
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
    for row in _table(proc):
        by_parent.setdefault(row.parent, []).append(row)
    level = by_parent.get(root, [])
    while level:
        found += level
        level = [child for row in level for child in by_parent.get(row.pid, [])]
    return found


def stop(root: int, *, spare: frozenset[int] = frozenset(), proc: int | None = None) -> list[int]:
    """Stop every process below `root` but those in `spare`; return those it stopped, in order.

    `proc` is that of `descendants`.

    A shell that sees its child stopped takes it for Ctrl+Z and goes on with its next command.
    So a parent has really stopped before its child is told to, and what stood still before is
    left alone. Rounds go on until two alike find nothing new and nothing awake: a process may fork
    while it is stopped, one that still runs may wake one that stands still, and who ends while they
    are gone through takes what he forked out of sight.
    """
    done = set(spare)
    order: list[int] = []
    deadline: float | None = None
    seen: set[tuple[int, str]] | None = None
    while True:
        rows = descendants(root, proc)
        before, seen = seen, {(row.pid, row.state) for row in rows if row.pid not in spare}
        fresh = [row for row in rows if row.pid not in done and row.state not in "ZX"]
        if not fresh:
            awake = [row.pid for row in rows if row.pid not in spare and row.state in _AWAKE]
            deadline = deadline or time.monotonic() + _STOP_DEADLINE_S
            if (not awake and seen == before) or time.monotonic() > deadline:
                return order
            _stop_at_once(awake)
            order += [pid for pid in awake if pid not in order]
            time.sleep(_POLL_S)
            continue
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
                _wait_until_stopped(row.pid, proc)
        for row in fresh:
            if row.pid not in parents:
                _wait_until_stopped(row.pid, proc)


def _stop_at_once(pids: list[int]) -> None:
    """Those who wake each other must not find the time to.

    Whoever runs this moment undoes a stop that another has not yet obeyed. Once he himself stands
    still the rest does, if it is told before it gets to run: so all are told, one right after the
    other, in one order and in the other, many times.
    """
    for _ in range(_VOLLEYS):
        pids.reverse()
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGSTOP)


def _wait_until_stopped(pid: int, proc: int | None) -> None:
    deadline = time.monotonic() + _STOP_DEADLINE_S
    while time.monotonic() < deadline:
        row = _row(pid, proc)
        if row is None or row.state in "TtZX":
            return
        if row.state in _AWAKE:  # it may have continued itself before it obeyed
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGSTOP)
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
