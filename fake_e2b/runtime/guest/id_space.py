"""A user namespace that holds a range of ids, for the helper and all that it forks.

An ordinary user may not map ids that are not its own; newuidmap may, for a process of that user,
as far as /etc/subuid says. The helper enters the namespace once: every guest's namespace then lies
in it and has its ids without asking again.
"""

from __future__ import annotations

import errno
import os

from .frames import Message
from .kernel import CloneFlag, unshare


def enter(wanted: Message) -> None:
    """Enter it, as its root.

    Args:
        wanted: `uids` and `gids`, rows of a map each, and `tools`, the paths of newuidmap and
            newgidmap.

    Raises:
        OSError: The kernel or a tool refuses; the text says what.
    """
    inside, entered = os.pipe()
    done, report = os.pipe()
    mapper = os.fork()
    if mapper == 0:
        try:
            os.close(entered)
            os.close(done)
            if os.read(inside, 1):  # a tool has to look at a process that is in the namespace
                os.write(report, _map_from_outside(os.getppid(), wanted).encode())
        finally:
            os._exit(0)
    os.close(inside)
    os.close(report)
    try:
        unshare(CloneFlag.USER)
        os.write(entered, b"1")
        with open(done, "rb", closefd=False) as answer:
            refusal = answer.read().decode(errors="replace")
    finally:
        os.close(entered)
        os.close(done)
        os.waitpid(mapper, 0)
    if refusal:
        raise OSError(errno.EPERM, refusal)
    os.setgroups([])


def _map_from_outside(pid: int, wanted: Message) -> str:
    """Have both maps of a process written; what a tool says against it, if anything."""
    try:
        for tool, rows in zip(wanted["tools"], (wanted["uids"], wanted["gids"]), strict=True):
            words = [str(number) for row in rows for number in row]
            if refusal := _run([tool, str(pid), *words]):
                return refusal
    except OSError as error:
        return f"newuidmap: {error.strerror}"
    return ""


def _run(argv: list[str]) -> str:
    """What the program complains of; nothing when it has done its work."""
    reading, writing = os.pipe()
    pid = os.posix_spawn(
        argv[0],
        argv,
        {"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        file_actions=[(os.POSIX_SPAWN_DUP2, writing, 2)],
    )
    os.close(writing)
    with open(reading, "rb") as complaint:
        text = complaint.read().decode(errors="replace").strip()
    _, status = os.waitpid(pid, 0)
    name = os.path.basename(argv[0])
    return "" if status == 0 else (text or f"{name}: it failed")
