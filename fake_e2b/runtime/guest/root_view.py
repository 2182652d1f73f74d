"""What the programs of an isolated guest see as `/`; runs in the guest's own namespaces.

`<folder>/root` is the root itself: what is not mounted over lives there and outlasts a reboot. The
host's programs are overlays: `<folder>/upper/<name>` takes the changes, below it lie the layer that
all guests of a run share (users, `sudo`, what is to be hidden) and the host's own folder.

A guest that starts on captured layers has theirs in between; where these hold much, its root is an
overlay as well, `<folder>/merged`, whose changes `<folder>/root` takes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from . import guard
from .kernel import MountFlag, mount, pivot_root_here, set_host_name

OVERLAID = ("usr", "etc", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "var/lib/dpkg")
"""Folders of the host that a guest sees: its programs, and the list of what is installed."""

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}
_NO_PROGRAMS = MountFlag.NO_SUID | MountFlag.NO_DEVICES | MountFlag.NO_EXEC
_SIOCSIFFLAGS = 0x8914
_SIOCSIFADDR = 0x8916
_SIOCSIFNETMASK = 0x891C
_IFF_UP_RUNNING = 0x41
_HOST_NAME = "e2b.local"
_ADDRESS = "169.254.0.21"


def enter(
    folder: str,
    layer: str,
    expose: Sequence[str],
    run: str = "/",
    root_below: Sequence[str] = (),
    below: Mapping[str, Sequence[str]] = MappingProxyType({}),
    memory_mb: int | None = None,
    mounts: Sequence[tuple[str, str]] = (),
) -> None:
    """Build the view and make it the root.

    Args:
        folder: The guest's folder.
        layer: The folder with the layers that all guests of the run share.
        expose: Folders of the host to show read-only, under the same path.
        run: What the paths in `root_below` and `below` start at. They are short: all options of a
            mount have to fit on one page.
        root_below: What lies below the root, highest first; nothing for a root of its own.
        below: By top-level folder: what lies between the guest's own changes and the host's.
        memory_mb: The guest's memory, of which `/dev/shm` may hold half; None for the machine's.
        mounts: Folders of the host to show under a path of the guest's, to be written to.

    Raises:
        OSError: The kernel refuses; the text says what.
    """
    root = f"{folder}/root"
    os.chdir(run)
    mount("none", "/", flags=MountFlag.RECURSIVE | MountFlag.PRIVATE)
    if root_below:
        root = f"{folder}/merged"
        os.makedirs(root, exist_ok=True)
        _overlay(root, f"{folder}/root", f"{folder}/work/merged", root_below)
    else:
        mount(root, root, flags=MountFlag.BIND | MountFlag.RECURSIVE)
    for name in OVERLAID:
        _show_host_folder(name, root, folder, [*below.get(name, ()), f"{layer}/{name}"])
    _make_devices(f"{root}/dev", memory_mb)
    for name in ("proc", "sys"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
    mount("proc", f"{root}/proc", "proc", _NO_PROGRAMS)
    guard.limit_pids(f"{root}/proc")
    guard.limit_watches(f"{root}/proc")
    for path in expose:
        os.makedirs(root + path, exist_ok=True)
        mount(path, root + path, flags=MountFlag.BIND | MountFlag.RECURSIVE)
        guard.make_read_only(root + path)
    _mount_folders(root, mounts)
    if guard.hosts_root_is_guests():
        guard.cover_settings(f"{root}/proc")
    guard.move_in(root)
    with contextlib.suppress(OSError):  # refused where the host's own is partly hidden
        mount("sysfs", f"{root}/sys", "sysfs", _NO_PROGRAMS | MountFlag.READ_ONLY)
    set_host_name(_HOST_NAME)
    _raise_loopback()
    os.chdir(root)
    pivot_root_here()
    with (
        contextlib.suppress(OSError),
        open("/proc/sys/net/ipv4/ip_unprivileged_port_start", "w") as f,
    ):
        f.write("0")  # `user` may listen on port 80: nothing else is on this network


def _mount_folders(root: str, mounts: Sequence[tuple[str, str]]) -> None:
    """Bind folders of the host; links on the way are followed as the guest would, not the host."""
    if not mounts:
        return
    with contextlib.ExitStack() as opened:

        def look_at(path: str) -> int:
            handle = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            opened.callback(os.close, handle)
            return handle

        outside, here = look_at("/"), look_at(".")
        folders = [(look_at(folder), path) for folder, path in mounts]
        os.chroot(root)
        try:
            os.chdir("/")
            for folder, path in folders:
                if path == "/":
                    raise OSError(errno.EBUSY, f"mount on /: {os.strerror(errno.EBUSY)}")
                os.makedirs(path, exist_ok=True)
                mount(f"/proc/self/fd/{folder}", path, flags=MountFlag.BIND)
        finally:
            os.fchdir(outside)
            os.chroot(".")
            os.fchdir(here)


def _show_host_folder(name: str, root: str, folder: str, below: Sequence[str]) -> None:
    source, target = f"/{name}", f"{root}/{name}"
    if os.path.islink(source):
        if not os.path.lexists(target):
            os.symlink(os.readlink(source), target)
        return
    if not os.path.isdir(source):
        return
    os.makedirs(target, exist_ok=True)
    lower = [*filter(os.path.isdir, below), source]
    _overlay(target, f"{folder}/upper/{name}", f"{folder}/work/{name}", lower)


def _overlay(target: str, upper: str, work: str, lower: Sequence[str]) -> None:
    for path in (upper, work):
        os.makedirs(path, exist_ok=True)
    options = {
        "lowerdir": ":".join(map(_escaped, lower)),
        "upperdir": _escaped(upper),
        "workdir": _escaped(work),
    }
    text = ",".join([*(f"{key}={value}" for key, value in options.items()), "userxattr"])
    # Otherwise each overlay that goes has the whole file system below it written to the disk.
    # Nobody needs that: no sandbox outlasts the machine it is on.
    _forget_last_boot(work)
    try:
        mount("overlay", target, "overlay", options=f"{text},volatile")
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        mount("overlay", target, "overlay", options=text)  # Linux before 5.10


def _forget_last_boot(work: str) -> None:
    """Remove the mark that a volatile overlay leaves: with it no other takes the folder."""
    mark = f"{work}/work/incompat/volatile"
    with contextlib.suppress(OSError):
        os.unlink(f"{mark}/dirty")
        os.rmdir(mark)
        os.rmdir(os.path.dirname(mark))


def _escaped(path: str) -> str:
    for character in "\\:,":
        path = path.replace(character, "\\" + character)
    return path


def _make_devices(folder: str, memory_mb: int | None) -> None:
    os.makedirs(folder, exist_ok=True)
    mount("tmpfs", folder, "tmpfs", MountFlag.NO_SUID, "mode=755,size=1m")
    for name in _DEVICES:
        os.close(os.open(f"{folder}/{name}", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666))
        # A node that is the machine's own: its mode and owner are not the guest's to change.
        mount(f"/dev/{name}", f"{folder}/{name}", flags=MountFlag.BIND)
        guard.make_read_only(f"{folder}/{name}")
    for name in ("pts", "shm"):
        os.mkdir(f"{folder}/{name}")
    mount(
        "devpts",
        f"{folder}/pts",
        "devpts",
        MountFlag.NO_SUID | MountFlag.NO_EXEC,
        "newinstance,ptmxmode=0666,mode=620",
    )
    options = "mode=1777" if memory_mb is None else f"mode=1777,size={memory_mb // 2}m"
    mount("shm", f"{folder}/shm", "tmpfs", MountFlag.NO_SUID | MountFlag.NO_DEVICES, options)
    for name, text in _LINKS.items():
        os.symlink(text, f"{folder}/{name}")


def _raise_loopback() -> None:
    """Loopback, and on it an address that is not 127.0.0.1.

    Programs look for one to tell others; and without, the C library takes the machine for one that
    has no IPv4 and finds no such address of any name (AI_ADDRCONFIG). It leads nowhere else.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP_RUNNING))
        for request, address in ((_SIOCSIFADDR, _ADDRESS), (_SIOCSIFNETMASK, "255.255.255.255")):
            packed = struct.pack("16sHH4s8x", b"lo:0", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(control, request, packed)
