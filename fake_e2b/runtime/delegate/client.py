"""Calls to the file service: they block, for as long as the operation takes and little more."""

from __future__ import annotations

import errno
import os
import re
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

from fake_e2b.runtime.copying import Copied
from fake_e2b.runtime.guest.frames import FrameReader, send

_AT_DESCRIPTOR = re.compile("/proc/self/fd/([0-9]+)(/.*|)", re.DOTALL)
Answer = tuple[Any, list[int]]


class _Connection:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._reader = FrameReader()

    def send(self, op: str, args: Sequence[object], fds: Sequence[int]) -> None:
        send(self._sock, {"op": op, "args": args}, fds)

    def receive(self) -> Answer:
        while self._reader.read(self._sock):
            for reply, given in self._reader.frames():
                if "crash" in reply:
                    raise RuntimeError(f"the file service failed:\n{reply['crash']}")
                if "errno" in reply:
                    raise OSError(reply["errno"], reply["text"], reply["path"])
                return reply["result"], given
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))

    def close(self) -> None:
        self._sock.close()
        self._reader.close()


class FileService:
    """The server's end. One thread, the event loop's, keeps a connection; others take a fresh one.

    So a long operation in a worker thread holds up nobody.

    Args:
        start: Starts the service, and gives the socket to it.
    """

    def __init__(self, start: Callable[[], socket.socket]) -> None:
        self._start = start
        self._control: socket.socket | None = start()
        self._lock = threading.Lock()
        self._owner = threading.get_ident()
        self._kept: _Connection | None = None

    def call(self, op: str, *args: object, fds: Sequence[int] = ()) -> Answer:
        """Have an operation done.

        Raises:
            OSError: It failed; EIO when the service was lost meanwhile.
        """
        if threading.get_ident() != self._owner:
            connection = self._connect()
            try:
                connection.send(op, args, fds)
                return connection.receive()
            finally:
                connection.close()
        if self._kept is None:
            self._kept = self._connect()
        try:
            self._kept.send(op, args, fds)
        except ConnectionError:  # it was killed, and has done nothing of this
            self._kept.close()
            self._kept = self._connect()
            self._kept.send(op, args, fds)
        try:
            return self._kept.receive()
        except ConnectionError as error:
            self._kept.close()
            self._kept = None
            raise OSError(errno.EIO, os.strerror(errno.EIO)) from error

    def _connect(self) -> _Connection:
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            if self._control is None:
                ours.close()
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            try:
                send(self._control, {}, [theirs.fileno()])
            except OSError:  # it was killed: files must stay within reach
                self._control.close()
                self._control = self._start()
                send(self._control, {}, [theirs.fileno()])
        return _Connection(ours)

    def close(self) -> None:
        """End it; twice is fine."""
        with self._lock:
            for each in (self._kept, self._control):
                if each is not None:
                    each.close()
            self._kept = self._control = None


class DelegatedTrees:
    """`fake_e2b.runtime.trees.Trees`, done by the file service."""

    def __init__(self, service: FileService) -> None:
        self._service = service

    def copy(self, source: str, target: str) -> Copied:
        """See `Trees.copy`."""
        return Copied(*self._call("copy", source, target))

    def copy_without_stubs(self, source: str, target: str, below: Sequence[str]) -> None:
        """See `Trees.copy_without_stubs`."""
        self._call("copy_without_stubs", source, target, below)

    def lay_over(
        self,
        source: str,
        target: str,
        *,
        keep_marks: bool,
        exact: bool = False,
        known: set[str] | None = None,
    ) -> None:
        """See `Trees.lay_over`; nothing is known from one call to the next."""
        self._call("lay_over", source, target, keep_marks, exact)

    def measure(self, root: str) -> Copied:
        """See `Trees.measure`."""
        return Copied(*self._call("measure", root))

    def size_of(self, folders: Sequence[str]) -> int:
        """See `Trees.size_of`."""
        return int(self._call("size_of", folders))

    def look_like(self, source: str, target: str) -> None:
        """See `Trees.look_like`."""
        self._call("look_like", source, target)

    def give(self, paths: Sequence[str], uid: int, gid: int) -> None:
        """See `Trees.give`."""
        self._call("give", paths, uid, gid)

    def remove(self, path: str) -> None:
        """See `Trees.remove`."""
        self._call("remove_tree", path)

    def _call(self, op: str, *args: object) -> Any:
        """Have it done; a descriptor that one of the paths starts at is this process's own."""
        fds: list[int] = []
        given = [_through_descriptor(each, fds) if isinstance(each, str) else each for each in args]
        return self._service.call(op, *given, fds=fds)[0]


def _through_descriptor(path: str, fds: list[int]) -> object:
    """The path; one that starts at a descriptor of this process takes that along."""
    if (match := _AT_DESCRIPTOR.fullmatch(path)) is None:
        return path
    fds.append(int(match[1]))
    return {"given": len(fds) - 1, "below": match[2]}
