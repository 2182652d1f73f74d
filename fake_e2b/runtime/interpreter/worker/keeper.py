"""The keeper: one small process per kernel that owns everything the kernel starts.

It adopts orphans, so that even daemons of the kernel stay its descendants. The server writes one
byte a command and reads one byte an answer:

    i  interrupt the worker's process group        s  stop all descendants
    k  end all descendants                         c  let them go on

The answer to i, s and c is the same byte. `d` tells that the worker died, `e` that nothing is
left. End of file on either side means: end everything.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections import defaultdict
from collections.abc import Callable

from .linux import Linux

_LISTS_PROCESSES = sys.platform == "linux"
_LOOK_AGAIN_S = 0.002
_LISTS_CHILDREN = os.path.exists(f"/proc/self/task/{os.getpid()}/children")


def keep(control: socket.socket, linux: Linux, run_worker: Callable[[], None]) -> None:
    """Fork the worker and look after its family until the end of both; never returns."""
    linux.adopt_orphans()
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    # The handler is what makes Python write to the wake-up pipe.
    signal.signal(signal.SIGCHLD, lambda *_: None)
    keeper = os.getpid()
    worker = os.fork()
    if worker == 0:
        os.close(wake_read)
        os.close(wake_write)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control.close()
        os.setsid()
        linux.die_with_parent(signal.SIGKILL)
        if os.getppid() == keeper:
            run_worker()
        os._exit(0)
    signal.set_wakeup_fd(wake_write)
    try:
        _serve(control, worker, wake_read)
    finally:
        _end_family(worker)
        with contextlib.suppress(OSError):
            control.send(b"e")
        os._exit(0)


def _serve(control: socket.socket, worker: int, wake_read: int) -> None:
    while True:
        ready, _, _ = select.select([control.fileno(), wake_read], [], [])
        if wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wake_read, 4096)
            if _reap(worker):
                control.send(b"d")
                return
        if control.fileno() in ready:
            for command in control.recv(64) or b"k":
                if not _obey(command, worker):
                    return
                control.send(bytes([command]))


def _obey(command: int, worker: int) -> bool:
    match command:
        case 0x69:  # i
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker, signal.SIGINT)
        case 0x73:  # s
            _signal_family(worker, signal.SIGSTOP)
        case 0x63:  # c
            _signal_family(worker, signal.SIGCONT)
        case _:
            return False
    return True


def _reap(worker: int) -> bool:
    """Collect the dead; whether the worker was among them."""
    found = False
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        found = found or pid == worker


def _signal_family(worker: int, number: int) -> None:
    """Signal every descendant, again until no new one shows up."""
    signalled: set[int] = set()
    while fresh := set(_descendants(worker)) - signalled:
        for pid in fresh:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        signalled |= fresh


def _end_family(worker: int) -> None:
    """Kill every descendant; orphans come to this process, so the loop sees them all."""
    signal.set_wakeup_fd(-1)
    while True:
        family = _descendants(worker)
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not _LISTS_PROCESSES:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(worker, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        # Not a blocking wait: a look at the family can miss one that is just being forked.
        time.sleep(_LOOK_AGAIN_S)


def _descendants(worker: int) -> list[int]:
    """Every living process below this one; where processes cannot be listed, the worker."""
    if not _LISTS_PROCESSES:
        return [worker]
    children = _listed_children if _LISTS_CHILDREN else _table_of_children().__getitem__
    found: list[int] = []
    heads = [os.getpid()]
    while heads:
        below = children(heads.pop())
        found += below
        heads += below
    return found


def _listed_children(pid: int) -> list[int]:
    """The children of all threads of a process, from the kernel's own lists."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", "rb") as children:
                found += map(int, children.read().split())
    return found


def _table_of_children() -> defaultdict[int, list[int]]:
    """The same for every process, from the parents' side; for kernels without those lists."""
    table: defaultdict[int, list[int]] = defaultdict(list)
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:
                # The name in parentheses may itself hold parentheses and blanks.
                table[int(stat.read().rpartition(b")")[2].split()[1])].append(int(name))
    return table
