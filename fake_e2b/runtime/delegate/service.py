"""The side with the rights: runs operations on files, one after the other for each connection.

Started by the helper (see `guest.zygote`), with the standard library only. It keeps nothing: each
request brings the descriptor of the sandbox's root that it is about.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import traceback
from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Any

from fake_e2b.domain.user import BUILT_IN_USERS, ROOT, User
from fake_e2b.runtime.files import RootedFiles
from fake_e2b.runtime.guest.frames import FrameReader, Message, send
from fake_e2b.runtime.guest.kernel import die_with_parent
from fake_e2b.runtime.ownership import FOREIGN_ID, RealOwnership
from fake_e2b.runtime.trees import OwnTrees
from fake_e2b.runtime.volume_files import RootedVolume
from fake_e2b.runtime.watch import WatchHub

_NAMES = {user.uid: user.name for user in BUILT_IN_USERS.values()} | {FOREIGN_ID: ROOT.name}
_OWNERSHIP = RealOwnership(_NAMES.get, _NAMES.get)
_HUB = WatchHub()
_TREES = OwnTrees()

Reply = tuple[Any, Sequence[int]]


def run(control: socket.socket, server_died: int | None) -> None:
    """Fork a process for each connection that `control` brings, until the server is gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    poll = select.poll()
    for fd in (control.fileno(), server_died):
        if fd is not None:
            poll.register(fd, select.POLLIN)
    reader = FrameReader()
    me = os.getpid()
    while True:
        ready = {fd for fd, _ in poll.poll()}
        if server_died in ready or not reader.read(control):
            return
        for _, (given,) in reader.frames():
            if os.fork() == 0:
                try:
                    control.close()
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    die_with_parent(me)
                    _serve(socket.socket(fileno=given))
                finally:
                    os._exit(0)
            os.close(given)


def _serve(connection: socket.socket) -> None:
    reader = FrameReader()
    while reader.read(connection):
        for request, given in reader.frames():
            fds: Sequence[int] = ()
            try:
                result, fds = _answer(request, given)
                reply: Message = {"result": result}
            except OSError as error:
                path = error.filename if isinstance(error.filename, str) else None
                reply = {"errno": error.errno, "text": error.strerror, "path": path}
            except Exception:
                reply = {"crash": traceback.format_exc()}
            send(connection, reply, fds)
            for fd in (*given, *fds):
                os.close(fd)


def _answer(request: Message, given: list[int]) -> Reply:
    operation = request["op"]
    if operation in _TREE_WORK:
        return _TREE_WORK[operation](*_resolved(request["args"], given)), ()
    if operation in _VOLUME_WORK:
        return _VOLUME_WORK[operation](RootedVolume(given[0]), *request["args"])
    # Not closed, as the descriptor is the caller's.
    files = RootedFiles(given[0], ownership=_OWNERSHIP, watches=_HUB)
    return _FILE_WORK[operation](files, *request["args"])


def _resolved(args: list[Any], given: list[int]) -> list[Any]:
    """The arguments, with descriptors where the caller has put their number."""
    return [
        f"/proc/self/fd/{given[each['given']]}{each['below']}" if isinstance(each, dict) else each
        for each in args
    ]


def _copy(source: str, target: str) -> list[int]:
    count = _TREES.copy(source, target)
    return [count.entries, count.size]


def _lay_over(source: str, target: str, keep_marks: bool, exact: bool) -> None:
    _TREES.lay_over(source, target, keep_marks=keep_marks, exact=exact)


def _measure(root: str) -> list[int]:
    count = _TREES.measure(root)
    return [count.entries, count.size]


_TREE_WORK: dict[str, Callable[..., Any]] = {
    "copy": _copy,
    "lay_over": _lay_over,
    "copy_without_stubs": _TREES.copy_without_stubs,
    "measure": _measure,
    "size_of": _TREES.size_of,
    "look_like": _TREES.look_like,
    "give": _TREES.give,
    "remove_tree": _TREES.remove,
}


def _plain(name: str) -> Callable[..., Reply]:
    """An operation whose arguments and result are JSON already."""
    return lambda files, *args: (getattr(files, name)(*args), ())


def _mkdir(files: RootedFiles, path: str, mode: int, owner: list[Any]) -> Reply:
    files.mkdir(path, mode, User(*owner))
    return None, ()


def _symlink(files: RootedFiles, target: str, path: str, owner: list[Any]) -> Reply:
    files.symlink(target, path, User(*owner))
    return None, ()


def _chown(files: RootedFiles, path: str, owner: list[Any]) -> Reply:
    files.chown(path, User(*owner))
    return None, ()


def _stat(name: str) -> Callable[..., Reply]:
    def answer(files: RootedFiles, path: str) -> Reply:
        found = getattr(files, name)(path)
        return [found.mode, found.size, found.mtime_ns, found.owner, found.group], ()

    return answer


def _usage(files: RootedFiles) -> Reply:
    found = files.disk_usage()
    return [found.total, found.used], ()


def _xattrs(files: RootedFiles, path: str) -> Reply:
    return {name: value.decode("latin-1") for name, value in files.xattrs(path).items()}, ()


def _set_xattr(files: RootedFiles, path: str, name: str, value: str) -> Reply:
    files.set_xattr(path, name, value.encode("latin-1"))
    return None, ()


def _open(files: RootedFiles, path: str, flags: int) -> Reply:
    return None, (files.open_descriptor(path, flags),)


def _open_write(files: RootedFiles, path: str, owner: list[Any], mode: int) -> Reply:
    descriptor, is_new = files.open_to_write(path, owner=User(*owner), mode=mode)
    return is_new, (descriptor,)


_FILE_WORK: dict[str, Callable[..., Reply]] = {
    **{
        name: _plain(name)
        for name in (
            "readlink",
            "realpath",
            "listdir",
            "rename",
            "remove",
            "remove_xattr",
            "is_network_mount",
        )
    },
    "lstat": _stat("lstat"),
    "stat": _stat("stat"),
    "mkdir": _mkdir,
    "symlink": _symlink,
    "chown": _chown,
    "disk_usage": _usage,
    "xattrs": _xattrs,
    "set_xattr": _set_xattr,
    "open": _open,
    "open_write": _open_write,
}


def _volume_stat(files: RootedVolume, path: str) -> Reply:
    return astuple(files.stat(path)), ()


def _volume_walk(files: RootedVolume, path: str, depth: int) -> Reply:
    return [astuple(each) for each in files.walk(path, depth)], ()


def _volume_mkdir(files: RootedVolume, path: str, mode: int, uid: int, gid: int) -> Reply:
    files.mkdir(path, mode=mode, uid=uid, gid=gid)
    return None, ()


def _volume_open_read(files: RootedVolume, path: str) -> Reply:
    return None, (files.open_to_read(path),)


def _volume_open_write(
    files: RootedVolume, path: str, mode: int, uid: int, gid: int, exclusive: bool
) -> Reply:
    descriptor, is_new = files.open_to_write(path, mode, uid, gid, exclusive=exclusive)
    return is_new, (descriptor,)


_VOLUME_WORK: dict[str, Callable[..., Reply]] = {
    "volume_stat": _volume_stat,
    "volume_walk": _volume_walk,
    "volume_chmod": lambda files, *args: (files.chmod(*args), ()),
    "volume_chown": lambda files, *args: (files.chown(*args), ()),
    "volume_remove": lambda files, *args: (files.remove(*args), ()),
    "volume_mkdir": _volume_mkdir,
    "volume_open_read": _volume_open_read,
    "volume_open_write": _volume_open_write,
}
