"""The helper's main process: warm, single-threaded, forks an agent for each guest.

It keeps nothing of a guest but the agent's PID. Each request brings the agent's end of a socket;
what comes after is between the server and the agent. When the server is gone the agents end by
themselves; the zygote waits for them, ends what a killed agent left, and removes the run's folder.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable

from . import id_space, isolate, tree
from .agent import Agent, watch_children
from .folders import remove_groups, remove_tree
from .frames import FrameReader, Message
from .init import Init
from .kernel import (
    become_subreaper,
    forget_keys,
    name_process,
    open_process,
    raise_oom_score,
    show_command,
)

_AGENTS_DEADLINE_S = 10.0
_ROUND_PAUSE_S = 0.0005


class Zygote:
    """The loop of the helper.

    Args:
        sock: The connection to the server.
        folder: The run's folder, removed at the end.
        namespace: The ids to live with, see `id_space.enter`; None for those there are.
    """

    def __init__(self, sock: socket.socket, folder: str, namespace: Message | None) -> None:
        self._sock = sock
        self._folder = folder
        self._reader = FrameReader()
        self._server_died = open_process(os.getppid())
        self._refusal: OSError | None = None
        if namespace is not None:
            try:
                id_space.enter(namespace)
            except OSError as error:
                self._refusal = error
        self._agents: set[int] = set()

    def run(self) -> None:
        """Serve until the server is gone, then clean up."""
        child_died = watch_children()
        poll = select.poll()
        for fd in (self._sock.fileno(), child_died, self._server_died):
            if fd is not None:
                poll.register(fd, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if self._server_died in ready:
                break
            if child_died in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(child_died, 4096)
                self._reap()
            if self._sock.fileno() in ready:
                open_still = self._reader.read(self._sock)
                for request, fds in self._reader.frames():
                    self._fork(request, fds)
                if not open_still:
                    break
        self._finish()

    def _fork(self, request: Message, fds: list[int]) -> None:
        sock = socket.socket(fileno=fds[0])
        try:
            if request["op"] == "files":
                pid = self._fork_file_service(sock)
            elif self._refusal is not None:
                raise self._refusal
            elif request["op"] == "guest":
                pid = isolate.fork_guest(request, lambda pid: self._be_init(request, sock, pid))
            else:
                pid = self._fork_agent(sock)
            self._agents.add(pid)
        except OSError as error:
            isolate.refuse(sock, error)
        finally:
            sock.close()

    def _fork_agent(self, sock: socket.socket) -> int:
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            self._leave_helper()
            os.setsid()
            become_subreaper()
            name_process("fake-e2b-agent")
            Agent(sock, self._server_died).run()
            status = 0
        finally:
            os._exit(status)

    def _fork_file_service(self, sock: socket.socket) -> int:
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            self._sock.close()
            signal.set_wakeup_fd(-1)
            name_process("fake-e2b-files")
            gc.enable()
            _load_file_service()(sock, self._server_died)
            status = 0
        finally:
            os._exit(status)

    def _be_init(self, request: Message, sock: socket.socket, host_pid: int) -> None:
        self._leave_helper()
        os.setsid()
        name_process("init")
        show_command("/sbin/init")
        if isolate.build_view(request, sock):
            Init(sock, self._server_died, host_pid).run()

    def _leave_helper(self) -> None:
        self._sock.close()
        signal.set_wakeup_fd(-1)
        raise_oom_score()

    def _reap(self) -> None:
        lost = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            if pid in self._agents:
                self._agents.discard(pid)
                lost = lost or status != 0
            else:
                lost = True
        if lost:
            # An agent was killed: what it should have ended has come here.
            tree.kill_round(os.getpid(), keep=frozenset(self._agents))

    def _finish(self) -> None:
        deadline = time.monotonic() + _AGENTS_DEADLINE_S
        while self._agents and time.monotonic() < deadline:
            self._reap()
            time.sleep(_ROUND_PAUSE_S)
        self._agents.clear()
        while tree.kill_round(os.getpid()):
            self._reap()
            time.sleep(_ROUND_PAUSE_S)
        remove_groups(self._folder)
        remove_tree(self._folder)


def _load_file_service() -> Callable[[socket.socket, int | None], None]:
    """Import it from the package, without what the package itself imports."""
    package = type(sys)("fake_e2b")
    package.__path__ = [os.path.dirname(os.path.dirname(os.path.dirname(__file__)))]
    sys.modules["fake_e2b"] = package
    service = __import__("fake_e2b.runtime.delegate.service", fromlist=["run"])
    run: Callable[[socket.socket, int | None], None] = service.run
    return run


def main(fd: int, folder: str, lock: int, namespace: Message | None) -> None:
    """Run the helper on the socket `fd` until its server is gone.

    Args:
        lock: The run's lock, held for as long as the server, the helper or an agent lives.
        namespace: See `Zygote`.
    """
    os.chdir("/")
    os.umask(0o022)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for inherited in (fd, lock):
        os.set_inheritable(inherited, False)
    become_subreaper()
    name_process("fake-e2b-helper")
    forget_keys()
    # Forks share memory only as long as nobody writes to it, and the collector does.
    gc.disable()
    gc.freeze()
    try:
        Zygote(socket.socket(fileno=fd), folder, namespace).run()
    finally:
        sys.stdout.flush()
