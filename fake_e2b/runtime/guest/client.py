"""The server's side of an agent's socket."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from fake_e2b.runtime.guest.frames import FrameReader, Message, pack, send_some

Reply = tuple[Message, list[int]]


class AgentGoneError(ConnectionError):
    """The agent has ended: the guest was killed, or died by itself."""


class AgentClient:
    """Requests to one agent, and what it reports.

    Args:
        sock: The server's end; it is closed here.

    Attributes:
        on_gone: Called once, when the agent has ended.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self.on_gone: Callable[[], None] = lambda: None
        self._reader = FrameReader()
        self._unsent: deque[tuple[memoryview, Sequence[int]]] = deque()
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._mourners: dict[int, Callable[[int], None]] = {}
        self._unclaimed: dict[int, int] = {}
        self._refused: set[int] = set()
        self._gone = asyncio.Event()
        self._ending = False
        self._loop.add_reader(sock, self._read)

    @property
    def gone(self) -> bool:
        """Whether the agent has ended."""
        return self._gone.is_set()

    async def call(self, op: str, *, fds: Sequence[int] = (), **fields: object) -> Reply:
        """Send a request and wait for its reply; the descriptors in that are the caller's.

        Args:
            fds: Descriptors to give away; the caller closes its own after the reply.

        Raises:
            AgentGoneError: The agent ended first.
            OSError: The agent reports an errno and no stage.
        """
        number = next(self._numbers)
        future: asyncio.Future[Reply] = self._loop.create_future()
        self.tell(op, fds=fds, re=number, **fields)
        self._waiting[number] = future
        try:
            message, fds = await future
        except asyncio.CancelledError:
            if not future.cancelled() and future.exception() is None:
                self._refuse(*future.result())  # it came together with the cancellation
            raise
        finally:
            self._waiting.pop(number, None)
        if "crash" in message:
            raise RuntimeError(f"the agent failed:\n{message['crash']}")
        if "errno" in message and "stage" not in message:
            text = message.get("text") or os.strerror(message["errno"])
            raise OSError(message["errno"], text)
        return message, fds

    def tell(self, op: str, *, fds: Sequence[int] = (), **fields: object) -> None:
        """Send a request that has no reply.

        Raises:
            AgentGoneError: The agent has ended.
        """
        if self.gone or self._ending:
            raise AgentGoneError("the agent has ended")
        self._unsent.append((memoryview(pack({"op": op, **fields}, len(fds))), fds))
        if len(self._unsent) == 1:
            self._write()

    def when_dead(self, pid: int, callback: Callable[[int], None]) -> None:
        """Call back with the wait status of a program that this agent started."""
        status = self._unclaimed.pop(pid, None)
        if status is None:
            self._mourners[pid] = callback
        else:
            callback(status)

    async def end(self) -> None:
        """Have the agent kill every program and end; returns when it has."""
        if not self._ending and not self.gone:
            self._ending = True
            self._unsent.clear()
            self._loop.remove_writer(self._sock)
            try:
                self._sock.shutdown(socket.SHUT_WR)
            except OSError:
                self._close()
        await self._gone.wait()

    def _write(self) -> None:
        while self._unsent:
            data, fds = self._unsent[0]
            try:
                sent = send_some(self._sock, data, fds)
            except BlockingIOError:
                self._loop.add_writer(self._sock, self._write)
                return
            except OSError:
                self._unsent.clear()  # the reader learns of the end
                break
            if sent == len(data):
                self._unsent.popleft()
            else:
                self._unsent[0] = data[sent:], ()
        self._loop.remove_writer(self._sock)

    def _read(self) -> None:
        try:
            open_still = self._reader.read(self._sock)
        except BlockingIOError:
            return
        try:
            for message, fds in self._reader.frames():
                self._take(message, fds)
        except (ValueError, LookupError, TypeError):
            open_still = False  # somebody else speaks for the agent: it is not heard any more
        if not open_still:
            self._close()

    def _take(self, message: Message, fds: list[int]) -> None:
        if "exit" in message:
            self._bury(message["exit"], message["status"])
            return
        future = self._waiting.pop(message["re"], None)
        if future is None or future.done():
            self._refuse(message, fds)
        elif "errno" in message and "pid" in message:
            self._refuse(message, fds)  # a program whose pipes did not arrive
            future.set_result((message, []))
        else:
            future.set_result((message, fds))

    def _bury(self, pid: int, status: int) -> None:
        if pid in self._refused:
            self._refused.discard(pid)
        elif callback := self._mourners.pop(pid, None):
            callback(status)
        else:  # its starter has not run since the reply came
            self._unclaimed[pid] = status

    def _refuse(self, message: Message, fds: list[int]) -> None:
        """Nobody will own what the reply brings."""
        for fd in fds:
            os.close(fd)
        if "pid" in message:
            self._refused.add(message["pid"])
            with suppress(AgentGoneError):
                self.tell("signal", pid=message["pid"], number=signal.SIGKILL)

    def _close(self) -> None:
        if self.gone:
            return
        self._gone.set()
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        self._sock.close()
        self._reader.close()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(AgentGoneError("the agent has ended"))
        self._waiting.clear()
        self.on_gone()
