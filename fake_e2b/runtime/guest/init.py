"""PID 1 of an isolated guest: the agent of all its users.

Where they have no ids of their own, the other users have agents of their own below it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time

from . import isolate, tree, usage
from .agent import Agent, Reply
from .frames import Message
from .kernel import name_process, show_command
from .memory import MemoryWatch
from .spawn import Spawner

_O_PATH = getattr(os, "O_PATH", os.O_RDONLY)


class Init(Agent):
    """An agent that is PID 1.

    Args:
        host_pid: Its own PID on the host.
    """

    def __init__(self, sock: socket.socket, server_died: int | None, host_pid: int) -> None:
        super().__init__(sock, server_died)
        self._host_pid = host_pid
        self._agents: set[int] = set()
        self._proc = tree.open_proc()
        self._spawners: dict[int, Spawner] = {}
        self._operations |= {"fork": self._fork, "root": self._root, "limit": self._limit}
        self._memory: MemoryWatch | None = None
        self._look_at_s = 0.0

    def end_descendants(self) -> None:
        """Kill and reap everything in the PID namespace.

        The kernel would do it when this process ends, but only after closing its socket: the
        server would take the guest for ended while its programs still run.
        """
        while True:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return

    def _root(self, _request: Message, _given: list[int]) -> Reply:
        """The root folder, and the PID under which the host knows this process."""
        root = os.open("/", _O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return {"pid": self._host_pid}, (root,)

    def _count(self, _request: Message, _given: list[int]) -> Reply:
        """What everything in the PID namespace uses, joined from outside or not."""
        pids = [int(name) for name in os.listdir(self._proc) if name.isdigit()]
        return {"counters": usage.count(pids, self._proc)}, ()

    def _below(self) -> list[int]:
        """The PIDs of all programs in the PID namespace, joined from outside or not."""
        own = {os.getpid(), *self._agents}
        return [
            int(each) for each in os.listdir(self._proc) if each.isdigit() and int(each) not in own
        ]

    def _programs(self, _request: Message, _given: list[int]) -> Reply:
        """What runs in the PID namespace."""
        return {"programs": usage.programs(sorted(self._below()), self._proc)}, ()

    def _limit(self, request: Message, _given: list[int]) -> Reply:
        """Watch over the memory from now on."""
        self._memory = MemoryWatch(request["memory_mb"], self._proc)
        return {}, ()

    def _look(self) -> float | None:
        if self._memory is None or self._stopped:
            return None
        now_s = time.monotonic()
        if now_s >= self._look_at_s:
            self._look_at_s = now_s + self._memory.look(self._agents)
        return max(self._look_at_s - now_s, 0) * 1000

    def _ping(self, _request: Message, _given: list[int]) -> Reply:
        return {"pid": self._host_pid}, ()

    def _spawn(self, request: Message, given: list[int]) -> Reply:
        """As the user that `who` names: `uid, gid, further groups`; without it as root."""
        if request["who"] is None:
            return super()._spawn(request, given)
        uid, gid, groups = request["who"]
        spawner = self._spawners.setdefault(uid, Spawner())
        with isolate.acting_as(uid, gid, [gid, *groups]):
            return self._start(spawner, request)

    def _fork(self, request: Message, given: list[int]) -> Reply:
        """An agent that looks like somebody else."""
        pid = os.fork()
        if pid:
            self._agents.add(pid)
            for fd in given:
                os.close(fd)
            return {}, ()
        status = 1
        try:
            self._sock.close()
            signal.set_wakeup_fd(-1)
            os.setsid()
            name_process("envd")
            show_command("/usr/bin/envd")
            sock = socket.socket(fileno=given[0])
            try:
                isolate.appear_as(request["uid"], request["gid"])
            except OSError as error:
                isolate.refuse(sock, error)
            else:
                Agent(sock, self._server_died).run()
            status = 0
        finally:
            os._exit(status)

    def _child_changed(self, pid: int, status: int) -> None:
        if pid not in self._agents:
            super()._child_changed(pid, status)
        elif os.WIFSTOPPED(status):
            os.kill(pid, signal.SIGCONT)  # a program's `kill -STOP -1` is not meant for it
        else:
            self._agents.discard(pid)

    def _stop(self) -> list[int]:
        return tree.stop(os.getpid(), spare=frozenset(self._agents), proc=self._proc)
