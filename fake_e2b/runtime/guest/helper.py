"""Starting the helper process, and asking it for agents."""

from __future__ import annotations

import asyncio
import json
import os
import select
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from fake_e2b.runtime.guest.frames import pack, send_some

_END_DEADLINE_S = 15.0


class Helper:
    """The helper of one run. `start` returns at once: requests wait in its socket.

    Args:
        folder: The run's folder; the helper removes it when the server is gone.
        lock_fd: The run's lock.
        namespace: The ids it is to live with, see `id_space.enter`; None for those it has.

    Attributes:
        starts: How often it was started: one that was killed is replaced.
    """

    def __init__(
        self, folder: str, lock_fd: int, namespace: Mapping[str, object] | None = None
    ) -> None:
        self._namespace = namespace
        self._folder = folder
        self._lock_fd = lock_fd
        self.starts = 0
        self._sock: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended.

        One that is killed closes its socket, and loses what was asked of it, a while before its
        process can be waited for.
        """
        if self._sock is None or self._process is None or self._process.poll() is not None:
            return False
        hung_up = select.poll()
        hung_up.register(self._sock, select.POLLHUP)
        return not hung_up.poll(0)

    def start(self) -> None:
        """Start it."""
        self.starts += 1
        self._sock, theirs = socket.socketpair()
        script = Path(__file__).with_name("__main__.py")
        python = sys.executable or shutil.which("python3") or "/usr/bin/python3"
        with theirs:
            self._process = subprocess.Popen(
                [
                    python,
                    "-I",
                    "-S",
                    str(script),
                    str(theirs.fileno()),
                    self._folder,
                    str(self._lock_fd),
                    json.dumps(self._namespace),
                ],
                pass_fds=(theirs.fileno(), self._lock_fd),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
                start_new_session=True,
            )

    def fork_agent(self, op: str = "agent", **fields: object) -> socket.socket:
        """Have an agent forked; the socket to it can be used at once.

        Args:
            op: ``"agent"`` for a plain process, ``"guest"`` for PID 1 of an isolated guest,
                ``"files"`` for the file service.
            fields: What `op` needs to know.

        Raises:
            OSError: The helper cannot be started.
        """
        ours, theirs = socket.socketpair()
        data = memoryview(pack({"op": op, **fields}, 1))
        with theirs:
            if self.alive:
                try:
                    self._send(data, theirs)
                except ConnectionError:
                    pass  # it was killed just now
                else:
                    return ours
            self._forget()
            self.start()
            self._send(data, theirs)
        return ours

    def _send(self, data: memoryview, theirs: socket.socket) -> None:
        assert self._sock is not None
        sent = send_some(self._sock, data, [theirs.fileno()])
        if sent < len(data):
            self._sock.sendall(data[sent:])

    async def close(self) -> None:
        """End it, its agents and what runs below them; the run's folder goes with it."""
        process = self._process
        if process is None:
            return
        assert self._sock is not None
        self._sock.setblocking(False)
        self._sock.shutdown(socket.SHUT_WR)
        try:
            async with asyncio.timeout(_END_DEADLINE_S):
                await asyncio.get_running_loop().sock_recv(self._sock, 1)  # its end closes with it
        except (TimeoutError, ConnectionError):
            process.kill()
        await asyncio.to_thread(process.wait)
        self._forget()

    def close_now(self) -> None:
        """As `close`, blocking."""
        if self._process is not None and self._sock is not None:
            self._sock.close()
            try:
                self._process.wait(_END_DEADLINE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = self._sock = None

    def _forget(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._sock is not None:
            self._sock.close()
        self._process = self._sock = None
