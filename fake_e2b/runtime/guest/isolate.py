"""Bringing up an isolated guest: namespaces, ids, view; and the agents that are not root.

The child is PID 1 of its own namespaces. When it exits the kernel ends all that is left in them.
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from collections.abc import Callable, Iterator

from .disk import lend, mount_disk
from .frames import FrameReader, Message, send
from .kernel import CloneFlag, be_open_to_look, clone, is_open_to_look, unshare, write_setting
from .root_view import enter

_NAMESPACES = CloneFlag.USER | CloneFlag.MOUNT | CloneFlag.PID
_IDS = 65536
_MOST_PROCESSES = 2048
"""Of one user of one guest, threads counted: a fork bomb must not take the machine along."""


def fork_guest(request: Message, run: Callable[[int], None]) -> int:
    """Fork PID 1 of a new guest; in the child `run` is called, with its host PID.

    Returns:
        The child's PID on the host.

    Raises:
        OSError: No such process can be made.
    """
    reading, writing = os.pipe()
    uid, gid = os.getuid(), os.getgid()
    try:
        pid = clone(_NAMESPACES)
    except OSError:
        os.close(reading)
        os.close(writing)
        raise
    if pid == 0:
        status = 1
        try:
            os.close(writing)
            if os.read(reading, 1) == b"1":  # the maps are written
                os.close(reading)
                os.setgid(0)
                os.setuid(0)
                _limit_processes()
                run(int(os.readlink("/proc/self")))
                status = 0
        finally:
            os._exit(status)
    os.close(reading)
    try:
        try:
            if request["range"]:
                write_setting(f"/proc/{pid}/uid_map", _same_ids("uid"))
                write_setting(f"/proc/{pid}/gid_map", _same_ids("gid"))
            else:
                write_setting(f"/proc/{pid}/setgroups", "deny")
                write_setting(f"/proc/{pid}/uid_map", f"0 {uid} 1")
                write_setting(f"/proc/{pid}/gid_map", f"0 {gid} 1")
            os.write(writing, b"1")
        finally:
            os.close(writing)
    except OSError as error:  # without the byte the child ends
        os.waitpid(pid, 0)
        text = f"the map of ids: {os.strerror(error.errno or 0)}"
        raise OSError(error.errno, text) from error
    return pid


def _same_ids(kind: str) -> str:
    """A map that gives a namespace below this one the same ids, as far as a guest has any.

    Line by line as they are here: the kernel takes no line that spans two of the parent's.
    """
    with open(f"/proc/self/{kind}_map") as file:
        rows = [(int(inside), int(count)) for inside, _, count in map(str.split, file)]
    return "".join(
        f"{inside} {inside} {min(count, _IDS - inside)}\n"
        for inside, count in rows
        if inside < _IDS
    )


def _limit_processes() -> None:
    """Bound what each user of the guest can run; the kernel counts per user namespace.

    Where the guest's root is the host's own, the kernel leaves root alone; see `guard.limit_pids`.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    most = _MOST_PROCESSES if hard == resource.RLIM_INFINITY else min(_MOST_PROCESSES, hard)
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def build_view(request: Message, sock: socket.socket) -> bool:
    """Enter the guest's view; if it cannot be built, tell the server why and return False."""
    folder = request["folder"]
    try:
        if request["disk_mb"] is not None:
            folder = f"{folder}/disk"
            os.makedirs(folder, exist_ok=True)
            mount_disk(folder, request["disk_mb"])
            if not lend(sock, folder):
                return False
        enter(
            folder,
            request["layer"],
            request["expose"],
            request["run"],
            request["root_below"],
            request["below"],
            request["memory_mb"],
            request.get("mounts", ()),
        )
    except OSError as error:
        refuse(sock, error)
        return False
    return True


def refuse(sock: socket.socket, error: OSError) -> None:
    """Answer the first request with the reason why there is no guest."""
    reader = FrameReader()
    with contextlib.suppress(OSError):
        while reader.read(sock):
            for request, _ in reader.frames():
                text = str(error.strerror or error)
                send(sock, {"re": request["re"], "errno": error.errno or 0, "text": text})
                return


@contextlib.contextmanager
def acting_as(uid: int, gid: int, groups: list[int]) -> Iterator[None]:
    """Root takes on a user's identity for the length of a block; what it starts there keeps it.

    An exec makes the saved ids those in effect, so a program started has no way back.
    """
    own_groups = os.getgroups()
    is_open = is_open_to_look()
    os.setgroups(groups)
    try:
        os.setresgid(gid, gid, 0)
        os.setresuid(uid, uid, 0)
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(own_groups)
        if is_open:  # the server, which is nobody in here, has to reach its namespaces
            be_open_to_look(True)


def appear_as(uid: int, gid: int) -> None:
    """Show the one id there is under a user's number, for good: in a nested user namespace."""
    unshare(CloneFlag.USER)
    with contextlib.suppress(PermissionError):  # denied by the guest already
        write_setting("/proc/self/setgroups", "deny")
    write_setting("/proc/self/uid_map", f"{uid} 0 1")
    write_setting("/proc/self/gid_map", f"{gid} 0 1")
