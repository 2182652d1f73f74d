"""What Linux offers and Python's standard library does not name; no-ops elsewhere."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import sys
from enum import IntFlag

_PR_SET_PDEATHSIG = 1
_PR_GET_DUMPABLE = 3
_PR_SET_DUMPABLE = 4
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_OOM_SCORE = "100"
_ARGUMENTS = (45, 46)
"""Where the command line begins and ends in memory: among the fields of `stat` after the name."""


class CloneFlag(IntFlag):
    """Namespaces of `clone` and `unshare`."""

    MOUNT = 0x00020000
    CGROUP = 0x02000000
    UTS = 0x04000000
    IPC = 0x08000000
    USER = 0x10000000
    PID = 0x20000000
    NETWORK = 0x40000000


class MountFlag(IntFlag):
    """Flags of `mount`."""

    READ_ONLY = 1
    NO_SUID = 2
    NO_DEVICES = 4
    NO_EXEC = 8
    REMOUNT = 32
    NO_ATIME = 1024
    BIND = 4096
    RECURSIVE = 16384
    PRIVATE = 1 << 18
    RELATIVE_ATIME = 1 << 21


_DETACH = 2
# The numbers of clone and pivot_root, which have no portable wrapper in the C library.
_SYSCALLS = {"x86_64": (56, 155), "aarch64": (220, 41), "riscv64": (220, 41)}
_KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219}
_JOIN_SESSION_KEYRING = 1

ON_LINUX = sys.platform == "linux"
# PyDLL keeps the interpreter's lock: what runs between a raw clone and its return must.
libc = ctypes.PyDLL(None, use_errno=True)


def check(result: int, what: str) -> int:
    """Raise the C library's errno when `result` says so."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def become_subreaper() -> None:
    """Orphans below this process become its children, whatever they did to get away."""
    if ON_LINUX:
        check(libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def die_with_parent(parent: int) -> None:
    """End when the parent ends, whose PID is told in case it has ended already."""
    if ON_LINUX:
        check(libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    if os.getppid() != parent:
        os._exit(1)


def name_process(name: str) -> None:
    """What `ps -o comm` shows; at most 15 characters."""
    if ON_LINUX:
        check(libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0), "prctl")


def show_command(text: str) -> None:
    """What `ps` shows as this process's command line; the real one names the machine's folders."""
    if not ON_LINUX:
        return
    with contextlib.suppress(OSError, IndexError):
        with open("/proc/self/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        start, end = (int(fields[number]) for number in _ARGUMENTS)
        size = end - start
        if size > len(text) + 1:
            # The kernel takes a last byte that is not zero as the sign of such a change.
            ctypes.memmove(start, text.encode().ljust(size - 1, b"\0") + b"\1", size)


def is_open_to_look() -> bool:
    """Whether its user's other processes may look into this one."""
    return ON_LINUX and libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 1


def be_open_to_look(value: bool) -> None:
    """Let them or don't; if not, no process of a lower user namespace may either, root's included.

    The kernel forbids it by itself when a process changes its ids.
    """
    if ON_LINUX:
        check(libc.prctl(_PR_SET_DUMPABLE, int(value), 0, 0, 0), "prctl")


def forget_keys() -> None:
    """Leave the session keyring of the user who runs the fake: it may hold keys of his."""
    number = _KEYCTL.get(os.uname().machine) if ON_LINUX else None
    if number is not None:
        libc.syscall(number, _JOIN_SESSION_KEYRING, None)


def raise_oom_score() -> None:
    """Sandboxed programs go first when memory runs out. Fact: envd.process.start.oom-score"""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(_OOM_SCORE)


def open_process(pid: int) -> int | None:
    """A descriptor that becomes readable when process `pid` ends; None where there is none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def clone(flags: int) -> int:
    """`fork` into new namespaces, for a process without threads.

    Raises:
        OSError: The kernel refuses; ENOSYS on an architecture whose numbers are unknown.
    """
    numbers = _SYSCALLS.get(os.uname().machine)
    if numbers is None:
        raise OSError(errno.ENOSYS, f"clone: unknown architecture {os.uname().machine}")
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = libc.syscall(numbers[0], ctypes.c_ulong(flags | signal.SIGCHLD), None, None, None, None)
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0
    number = ctypes.get_errno()
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(number, f"clone: {os.strerror(number)}")
    return int(pid)


def unshare(flags: int) -> None:
    """Leave namespaces for new ones."""
    check(libc.unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """The system call; the error's text says which mount failed."""
    result = libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        os.fsencode(kind) if kind else None,
        ctypes.c_ulong(flags),
        os.fsencode(options) if options else None,
    )
    check(result, f"mount {kind or 'bind'} on {target}")


def pivot_root_here() -> None:
    """Make the current folder, a mount point, the root; the old one is gone."""
    number = _SYSCALLS[os.uname().machine][1]
    check(libc.syscall(number, b".", b"."), "pivot_root")
    check(libc.umount2(b".", _DETACH), "umount")
    os.chdir("/")


def set_host_name(name: str) -> None:
    """The host name of the UTS namespace."""
    check(libc.sethostname(name.encode(), len(name)), "sethostname")


def write_setting(path: str, text: str) -> None:
    """Tell the kernel something by a file, in one write as it wants it."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
