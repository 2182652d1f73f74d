"""How a worker that was forked on the host becomes a process of its guest."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile

from .linux import Linux

_NAMESPACES = {
    "mnt": 0x00020000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
}


def enter_group(members: str) -> None:
    """Become a member of a control group, by the file that lists its members."""
    with open(members, "w") as file:
        file.write("0")


def enter_namespaces(pid: int, linux: Linux) -> None:
    """Enter the namespaces of `pid` and go on in a child that also has its process IDs.

    The caller's own process stays outside as the child's parent: it passes interrupts on and
    ends with the child. Only the child returns.

    Raises:
        OSError: A namespace could not be entered.
    """
    guest = os.pidfd_open(pid)
    try:
        # All in one step: they belong to different users, and no order of single steps is allowed.
        linux.setns(guest, sum(flag for name, flag in _NAMESPACES.items() if _differs(pid, name)))
    finally:
        os.close(guest)
    # Where the guest maps only one user, this process is that user already.
    with contextlib.suppress(OSError):
        os.setgroups([])
    with contextlib.suppress(OSError):
        os.setresgid(0, 0, 0)
    with contextlib.suppress(OSError):
        os.setresuid(0, 0, 0)
    child = os.fork()
    if child != 0:
        _stand_for(child)
    os.setsid()
    linux.die_with_parent(signal.SIGKILL)


def _differs(pid: int, namespace: str) -> bool:
    there, here = (os.stat(f"/proc/{process}/ns/{namespace}") for process in (pid, "self"))
    return there.st_ino != here.st_ino


def _stand_for(child: int) -> None:
    """Wait for the child, hand interrupts to its group, then end; never returns."""

    def pass_on(number: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, number)

    signal.signal(signal.SIGINT, pass_on)
    while True:
        with contextlib.suppress(InterruptedError):
            os.waitpid(child, 0)
            os._exit(0)


def settle(*, cwd: str, home_folder: str, environment: dict[str, str], paths: list[str]) -> None:
    """Take the guest's environment and working folder, in that order.

    Args:
        cwd: Where to work; when it cannot be entered, `home_folder`, then the root.
        paths: Put in front of the installed packages in `sys.path`.

    Fact: interpreter.contexts.bad-cwd
    """
    os.environ.clear()
    os.environ.update(environment)
    for folder in (cwd, home_folder, "/"):
        with contextlib.suppress(OSError):
            os.chdir(folder)
            break
    sys.path[:0] = ["", *paths]
    tempfile.tempdir = None  # the zygote's answer to where temporary files go
    os.umask(0o022)
