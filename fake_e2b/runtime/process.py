"""The server's side of a started program: its output, its input, its end.

Output is pulled: a descriptor is only watched while every subscriber has room, so a slow one holds
the program back through its own pipe. Before the first subscription nothing is read; later, without
a subscriber, what is read is thrown away.

Facts: envd.process.ended-rule, envd.process.backpressure, envd.process.chunk-size
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import signal
import struct
import termios
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from fake_e2b.domain.ports import StdinClosedError
from fake_e2b.domain.process import Channel, Output, ProcessExit, PtySize

QUEUE_CHUNKS = 64
PIPE_READ = 32 * 1024
PTY_READ = 16 * 1024
# What is still taken from each pipe when a signalled program dies and others hold its pipes.
_LAST_READS = 32


class _Subscription:
    """One reader's queue; an async iterator."""

    def __init__(self, process: GuestProcess) -> None:
        self._process = process
        self._queue: deque[Output] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._told_exit = False

    @property
    def full(self) -> bool:
        return len(self._queue) >= QUEUE_CHUNKS

    def put(self, chunk: Output) -> None:
        self._queue.append(chunk)
        self.wake()

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __aiter__(self) -> _Subscription:
        return self

    async def __anext__(self) -> Output | ProcessExit:
        while True:
            if self._queue:
                was_full = self.full
                chunk = self._queue.popleft()
                if was_full:
                    self._process.update_watching()
                return chunk
            if self._process.exit is not None:
                if self._told_exit:
                    raise StopAsyncIteration
                self._told_exit = True
                return self._process.exit
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None


class GuestProcess:
    """A program of a guest, as the `Process` port.

    Args:
        pid: Inside the sandbox.
        fds: `[stdin,] stdout, stderr`, or the terminal's master; they are closed here.
        send_signal: Delivers a signal to the program; a dead one is left alone.
    """

    def __init__(
        self,
        pid: int,
        fds: Sequence[int],
        *,
        is_pty: bool,
        send_signal: Callable[[int], None],
    ) -> None:
        self._pid = pid
        self._is_pty = is_pty
        self._send_signal = send_signal
        self._loop = asyncio.get_running_loop()
        self._outputs: dict[int, Channel] = {}
        self._input: int | None = None
        if is_pty:
            self._outputs[fds[0]] = "pty"
            self._input = fds[0]
        else:
            *stdin, out, err = fds
            self._outputs.update({out: "stdout", err: "stderr"})
            self._input = stdin[0] if stdin else None
        for fd in fds:
            os.set_blocking(fd, False)
        self._watched: set[int] = set()
        self._subscriptions: list[_Subscription] = []
        self._reading = False  # from the first subscription on
        self._signalled = False
        self._died: ProcessExit | None = None
        self._ended = asyncio.Event()
        self._write_lock = asyncio.Lock()
        self._write_waiter: asyncio.Future[None] | None = None

    @property
    def pid(self) -> int:
        """As seen inside the sandbox."""
        return self._pid

    @property
    def is_pty(self) -> bool:
        """Whether it has a terminal."""
        return self._is_pty

    @property
    def exit(self) -> ProcessExit | None:
        """Set once it counts as ended."""
        return self._died if self._ended.is_set() else None

    @contextmanager
    def subscribe(self) -> Iterator[AsyncIterator[Output | ProcessExit]]:
        """All output from now on, then the exit."""
        subscription = _Subscription(self)
        self._subscriptions.append(subscription)
        self._reading = True
        self.update_watching()
        try:
            yield subscription
        finally:
            self._subscriptions.remove(subscription)
            self.update_watching()

    def update_watching(self) -> None:
        """Watch the outputs if everyone has room, else let the pipes fill up."""
        room = self._reading and not any(each.full for each in self._subscriptions)
        if room:
            for fd in self._outputs:
                if fd not in self._watched:
                    self._watched.add(fd)
                    self._loop.add_reader(fd, self._read, fd)
        else:
            for fd in self._watched:
                self._loop.remove_reader(fd)
            self._watched.clear()

    def _read(self, fd: int) -> bool:
        """Take one chunk; False when there is none now or ever."""
        try:
            data = os.read(fd, PTY_READ if self._is_pty else PIPE_READ)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.EIO:  # a terminal nobody has open any more
                raise
            data = b""
        if not data:
            self._close_output(fd)
            self._end_if_over()
            return False
        chunk = Output(self._outputs[fd], data)
        for subscription in self._subscriptions:
            subscription.put(chunk)
        if any(each.full for each in self._subscriptions):
            self.update_watching()
        return True

    def _close_output(self, fd: int) -> None:
        if fd in self._watched:
            self._watched.discard(fd)
            self._loop.remove_reader(fd)
        del self._outputs[fd]
        if self._is_pty:
            self._drop_input()
        else:
            os.close(fd)

    def died(self, status: int) -> None:
        """The agent reaped it with this wait status."""
        if os.WIFSIGNALED(status):
            self._died = ProcessExit(None, os.WTERMSIG(status), os.WCOREDUMP(status))
        else:
            self._died = ProcessExit(os.WEXITSTATUS(status))
        self._end_if_over()

    def lost(self) -> None:
        """Its guest is gone."""
        if self._died is None:
            self._died = ProcessExit(None, signal.SIGKILL)
        self._signalled = True
        self._end_if_over()

    def _end_if_over(self) -> None:
        if self._ended.is_set() or self._died is None or (self._outputs and not self._signalled):
            return
        if self._reading:
            for fd in list(self._outputs):
                for _ in range(_LAST_READS):
                    if fd not in self._outputs or not self._read(fd):
                        break
        if self._ended.is_set():  # the last read saw the end of the last pipe
            return
        for fd in list(self._outputs):
            self._close_output(fd)
        self._drop_input()
        self._ended.set()
        for subscription in self._subscriptions:
            subscription.wake()

    async def write(self, data: bytes) -> None:
        """To stdin or the terminal; waits while it is full.

        Raises:
            BrokenPipeError: Nobody reads any more.
            StdinClosedError: There is no stdin, or it was closed here.
        """
        async with self._write_lock:
            rest = memoryview(data)
            while True:
                if self._input is None:
                    if self._is_pty or self._ended.is_set():
                        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
                    raise StdinClosedError
                try:
                    rest = rest[os.write(self._input, rest) :]
                except BlockingIOError:
                    await self._until_writable(self._input)
                    continue
                except OSError as error:
                    if error.errno == errno.EIO:
                        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from error
                    raise
                if not rest:
                    return

    async def _until_writable(self, fd: int) -> None:
        self._write_waiter = self._loop.create_future()
        self._loop.add_writer(fd, self._wake_writer)
        try:
            await self._write_waiter
        finally:
            self._write_waiter = None
            if self._input == fd:
                self._loop.remove_writer(fd)

    def _wake_writer(self) -> None:
        if self._write_waiter is not None and not self._write_waiter.done():
            self._write_waiter.set_result(None)

    def close_stdin(self) -> None:
        """Close the pipe; a terminal has none to close."""
        if not self._is_pty:
            self._drop_input()

    def _drop_input(self) -> None:
        if self._input is None:
            return
        fd, self._input = self._input, None
        self._loop.remove_writer(fd)
        os.close(fd)
        self._wake_writer()

    def resize(self, size: PtySize) -> None:
        """Set the terminal's size, cut to 16 bits.

        Raises:
            OSError: ENOTTY without a terminal.
        """
        if not self._is_pty:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        if self._input is None:
            return
        packed = struct.pack("HHHH", size.rows & 0xFFFF, size.cols & 0xFFFF, 0, 0)
        with suppress(OSError):  # it ended this very moment
            fcntl.ioctl(self._input, termios.TIOCSWINSZ, packed)

    def signal(self, number: int) -> None:
        """Deliver a signal to this one program; its own death ends it from then on.

        Raises:
            ProcessLookupError: It has ended.
        """
        if self._ended.is_set():
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        self._signalled = True
        if self._died is None:
            self._send_signal(number)
        else:
            self._end_if_over()

    async def wait(self) -> ProcessExit:
        """Wait until it counts as ended; something must be subscribed for that to happen."""
        await self._ended.wait()
        assert self._died is not None
        return self._died
