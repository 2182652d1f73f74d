"""What keeps a guest's root from the machine.

Where the host's root is the guest's, the kernel's own checks let it change what belongs to root:
device nodes, kernel settings, the programs of the machine that are shown read-only. They are
mounted read-only or hidden, and the guest's programs live in a second user and mount namespace
below the one that mounted them: there the kernel has locked every mount, with its flags.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress

from .kernel import CloneFlag, MountFlag, be_open_to_look, mount, unshare, write_setting

MOST_PIDS = 4096
"""Processes and threads of all users of one guest."""

_INNER = CloneFlag.USER | CloneFlag.MOUNT | CloneFlag.UTS | CloneFlag.IPC | CloneFlag.NETWORK
_READ_ONLY = ("bus", "fs", "irq", "sysrq-trigger")
_HIDDEN = ("acpi", "asound", "kcore", "keys", "latency_stats", "scsi", "sched_debug", "timer_list")
_SETTINGS_OF_THE_GUEST = ("net", "user")
_Rows = list[tuple[int, int, int]]
_NO_FILE = "/dev/null"
# A user namespace may not drop the flags its host's mount has: they are repeated.
_STATVFS_FLAGS = 0xF | MountFlag.NO_ATIME


def hosts_root_is_guests() -> bool:
    """Whether root in here is root of the machine: then it owns the kernel's settings."""
    return os.stat("/proc/sys/kernel/ostype").st_uid == 0


def make_read_only(target: str) -> None:
    """Remount a bind mount read-only.

    Raises:
        OSError: The kernel refuses.
    """
    kept = os.statvfs(target).f_flag & _STATVFS_FLAGS
    flags = MountFlag.REMOUNT | MountFlag.BIND | MountFlag.READ_ONLY | kept
    try:
        mount("none", target, flags=flags)
    except PermissionError:
        mount("none", target, flags=flags | MountFlag.RELATIVE_ATIME)


def limit_pids(proc: str) -> None:
    """Bound the processes of the PID namespace; kernels before 6.14 have one limit for all.

    Fact: sandbox.processes.most
    """
    major, minor = (int(re.sub(r"\D.*", "", part)) for part in os.uname().release.split(".")[:2])
    if (major, minor) < (6, 14):
        return
    # It is not made read-only for its own sake: with anything mounted on /proc the kernel lets
    # nobody mount another one. Whom it does not bind, the limit of processes of a user does.
    with suppress(OSError), open(f"{proc}/sys/kernel/pid_max", "w") as file:
        file.write(str(MOST_PIDS))


def limit_watches(proc: str) -> None:
    """Leave half of the user's inotify instances and watches to the machine and the server.

    Fact: sandbox.watches.half
    """
    for name in ("instances", "watches"):
        with suppress(OSError, ValueError):
            with open(f"{proc}/sys/fs/inotify/max_user_{name}") as file:
                of_the_user = int(file.read())
            with open(f"{proc}/sys/user/max_inotify_{name}", "w") as file:
                file.write(str(of_the_user // 2))


def cover_settings(proc: str) -> None:
    """Make what would change the machine read-only, and hide what tells too much of it."""
    settings = [f"sys/{name}" for name in os.listdir(f"{proc}/sys")]
    own = [f"sys/{name}" for name in _SETTINGS_OF_THE_GUEST]
    for name in (*_READ_ONLY, *settings):
        path = f"{proc}/{name}"
        if name not in own and os.path.exists(path):
            _freeze(path)
    for name in _HIDDEN:
        path = f"{proc}/{name}"
        if os.path.isdir(path):
            mount("tmpfs", path, "tmpfs", MountFlag.READ_ONLY, "size=0,mode=555")
        elif os.path.exists(path):
            mount(_NO_FILE, path, flags=MountFlag.BIND)
            make_read_only(path)


def _freeze(path: str) -> None:
    mount(path, path, flags=MountFlag.BIND | MountFlag.RECURSIVE)
    make_read_only(path)


def move_in(root: str) -> None:
    """Enter the namespaces in which the guest's programs live, as their root.

    Args:
        root: The guest's view, with its `/proc`, still below the machine's own root.

    Raises:
        OSError: The kernel refuses.
    """
    maps = {kind: _map(kind) for kind in ("uid", "gid")}
    private = hosts_root_is_guests()
    if all(len(rows) == 1 and rows[0][2] == 1 for rows in maps.values()):
        unshare(_INNER)
        _write_maps("/proc/self", maps)  # to its own id alone, a process may
    else:
        _have_mapped(f"{root}/proc/1", maps)
    os.setgid(0)
    os.setuid(0)
    # The root of a view is locked as well; its copy is not, and can become the root.
    mount(root, root, flags=MountFlag.BIND | MountFlag.RECURSIVE)
    if private:
        be_open_to_look(False)


def _have_mapped(process: str, maps: Mapping[str, _Rows]) -> None:
    """Enter the namespaces while a child that stays outside maps more than one id."""
    reading, writing = os.pipe()
    mapper = os.fork()
    if mapper == 0:
        status = 1
        try:
            os.close(writing)
            if os.read(reading, 1):
                _write_maps(process, maps)
                status = 0
        finally:
            os._exit(status)
    os.close(reading)
    try:
        unshare(_INNER)
        os.write(writing, b"1")
    finally:
        os.close(writing)
        _, status = os.waitpid(mapper, 0)
    if status:
        raise PermissionError(1, "the ids of the inner namespace: Operation not permitted")


def _write_maps(process: str, maps: Mapping[str, _Rows]) -> None:
    """Give the inner namespace the ids of this one, under the same numbers."""
    for kind, rows in maps.items():
        text = "".join(f"{inside} {inside} {count}\n" for inside, _, count in rows)
        write_setting(f"{process}/{kind}_map", text)


def _map(kind: str) -> _Rows:
    """The ids of this namespace: first inside, first outside, how many."""
    with open(f"/proc/self/{kind}_map") as file:
        rows = [line.split() for line in file]
    return [(int(inside), int(outside), int(count)) for inside, outside, count in rows]
