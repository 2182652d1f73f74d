"""One agent per guest: starts programs, hands their descriptors back, reaps, ends everything.

Requests carry `re`, a number that their reply repeats. An agent never waits: whatever takes time
(an output, a connection) is done by the server with the descriptors it was given.

When the server's end of the socket closes or its process dies, every descendant is killed before
the agent exits.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence

from . import tree, usage
from .frames import FrameReader, Message, send
from .spawn import Spawner, StartError

Reply = tuple[Message, Sequence[int]]
Operation = Callable[[Message, list[int]], Reply]
_ROUND_PAUSE_S = 0.0002
_IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


def watch_children() -> int:
    """A descriptor that becomes readable when a child dies or stops."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading


class Agent:
    """The loop of one agent.

    Args:
        sock: The connection to the server, blocking.
        server_died: A descriptor that becomes readable when the server's process is gone
            (a copy of the socket in a forked child keeps it open); None where there is none.
    """

    def __init__(self, sock: socket.socket, server_died: int | None) -> None:
        self._sock = sock
        self._server_died = server_died
        self._reader = FrameReader()
        self._spawner = Spawner()
        self._unreaped: set[int] = set()
        self._stopped: list[int] = []
        self._operations: dict[str, Operation] = {
            "spawn": self._spawn,
            "signal": self._signal,
            "socket": self._socket,
            "pause": self._pause,
            "resume": self._resume,
            "ping": self._ping,
            "count": self._count,
            "programs": self._programs,
            "kill": self._kill,
        }

    def run(self) -> None:
        """Serve until the server is gone, then end every descendant."""
        for number in _IGNORED:  # a sandbox's `kill 0` is not meant for its agent
            signal.signal(number, signal.SIG_IGN)
        child_died = watch_children()
        poll = select.poll()
        for fd in (self._sock.fileno(), child_died, self._server_died):
            if fd is not None:
                poll.register(fd, select.POLLIN)
        try:
            while True:
                ready = {fd for fd, _ in poll.poll(self._look())}
                if self._server_died in ready:
                    return
                if self._sock.fileno() in ready and not self._serve():
                    return
                if child_died in ready:
                    with contextlib.suppress(BlockingIOError):
                        os.read(child_died, 4096)
                    self._reap()
        except ConnectionError:
            return
        finally:
            self.end_descendants()

    def end_descendants(self) -> None:
        """Kill and reap until nothing is left below this process."""
        while tree.kill_round(os.getpid()) or _has_children():
            time.sleep(_ROUND_PAUSE_S)

    def _serve(self) -> bool:
        open_still = self._reader.read(self._sock)
        for request, given in self._reader.frames():
            try:
                reply, fds = self._operations[request["op"]](request, given)
            except StartError as error:
                reply, fds = {"stage": error.stage, "errno": error.errno}, ()
            except OSError as error:
                reply, fds = {"errno": error.errno}, ()
            except Exception:
                import traceback  # which no agent needs that does not fail

                reply, fds = {"crash": traceback.format_exc()}, ()
            if "re" in request:
                send(self._sock, {"re": request["re"], **reply}, fds)
            for fd in fds:
                os.close(fd)
        return open_still

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return
            if not pid:
                return
            self._child_changed(pid, status)

    def _child_changed(self, pid: int, status: int) -> None:
        if pid in self._unreaped and not os.WIFSTOPPED(status):
            self._unreaped.discard(pid)
            send(self._sock, {"exit": pid, "status": status})

    def _spawn(self, request: Message, _given: list[int]) -> Reply:
        return self._start(self._spawner, request)

    def _start(self, spawner: Spawner, request: Message) -> Reply:
        started = spawner.start(
            request["argv"],
            request["env"],
            request["cwd"],
            pty=request["pty"],
            stdin=request["stdin"],
        )
        self._unreaped.add(started.pid)
        return {"pid": started.pid}, started.fds

    def _count(self, _request: Message, _given: list[int]) -> Reply:
        """What it and its programs use."""
        pids = [os.getpid(), *(row.pid for row in tree.descendants(os.getpid()))]
        return {"counters": usage.count(pids)}, ()

    def _below(self) -> list[int]:
        """The PIDs of all programs below it."""
        return [row.pid for row in tree.descendants(os.getpid())]

    def _programs(self, _request: Message, _given: list[int]) -> Reply:
        """What runs, see `usage.programs`."""
        return {"programs": usage.programs(sorted(self._below()))}, ()

    def _kill(self, request: Message, _given: list[int]) -> Reply:
        """Send a signal to any program below it."""
        if request["pid"] not in self._below():
            raise ProcessLookupError(3, "no such process")
        os.kill(request["pid"], request["number"])
        return {}, ()

    def _ping(self, _request: Message, _given: list[int]) -> Reply:
        return {"pid": os.getpid()}, ()

    def _signal(self, request: Message, _given: list[int]) -> Reply:
        # An unreaped PID cannot have been given to another process.
        if request["pid"] not in self._unreaped:
            raise ProcessLookupError(3, "no such process")
        os.kill(request["pid"], request["number"])
        return {}, ()

    def _socket(self, request: Message, _given: list[int]) -> Reply:
        """Fresh TCP sockets that belong to the guest's network."""
        made = []
        for _ in range(request["count"]):
            one = socket.socket(socket.AddressFamily(request["family"]), socket.SOCK_STREAM)
            one.setblocking(False)
            made.append(one.detach())
        return {}, made

    def _pause(self, _request: Message, _given: list[int]) -> Reply:
        self._stopped += self._stop()
        return {"stopped": len(self._stopped)}, ()

    def _stop(self) -> list[int]:
        return tree.stop(os.getpid())

    def _look(self) -> float | None:
        """What is to be done now and then; milliseconds until the next time."""
        return None

    def _resume(self, _request: Message, _given: list[int]) -> Reply:
        tree.resume(self._stopped)
        self._stopped.clear()
        return {}, ()


def _has_children() -> bool:
    """Reap all dead children; whether living ones are left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True
