"""The server's side of one forked kernel: its cells and its keeper."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from fake_e2b.domain.kernel import (
    Accepted,
    Failed,
    KernelDiedError,
    KernelMessage,
    KernelStartError,
    Shown,
    Text,
)
from fake_e2b.runtime.interpreter.link import Link

_BACKLOG_BYTES = 1024 * 1024
_END_TIMEOUT_S = 5.0


def _message(fields: list[object]) -> KernelMessage:
    match fields:
        case ["count", int(count)]:
            return Accepted(count)
        case [("stdout" | "stderr") as stream, str(text)]:
            return Text(stream, text)
        case ["shown", dict(data), bool(is_main)]:
            return Shown(data, is_main)
        case ["error", str(name), str(value), list(traceback)]:
            return Failed(name, value, tuple(map(str, traceback)))
    raise AssertionError(f"the kernel program sent {fields!r}")


class PythonRun:
    """One cell in progress, see `fake_e2b.domain.kernel.Run`."""

    def __init__(self, kernel: PythonKernel, on_end: Callable[[], None]) -> None:
        self._kernel = kernel
        self._on_end = on_end
        self._messages: deque[KernelMessage] = deque()
        self._news = asyncio.Event()
        self._unread_bytes = 0
        self._ended = False
        self._died = False
        self._abandoned = False

    async def read(self) -> Sequence[KernelMessage]:
        """What has arrived, at least one message; empty after the last."""
        await self._news.wait()
        found = tuple(self._messages)
        self._messages.clear()
        self._unread_bytes = 0
        if not self._ended:
            self._news.clear()
            self._kernel.read_on()
        elif self._died and not found:
            raise KernelDiedError("the kernel's process ended")
        return found

    def abandon(self) -> None:
        """Interrupt the cell and drop the rest."""
        self._abandoned = True
        self._messages.clear()
        if not self._ended:
            self._kernel.read_on()
            self._kernel.interrupt()

    def take(self, line: bytes) -> bool:
        """Keep one line of the kernel; whether there is room for more."""
        if not self._abandoned:
            self._messages.append(_message(json.loads(line)))
            self._unread_bytes += len(line)
            self._news.set()
        return self._unread_bytes < _BACKLOG_BYTES

    def end(self, *, died: bool) -> None:
        """The cell is over, or its kernel is."""
        self._ended = True
        self._died = died
        self._news.set()
        self._on_end()


class PythonKernel:
    """A forked kernel, see `fake_e2b.domain.kernel.Kernel`; unsettled until `settle`.

    Args:
        channel: Cells go out on it, lines of JSON come back.
        control: The keeper's, see `worker/keeper.py`.
        on_gone: Called once, when the keeper and all it kept have ended.
    """

    def __init__(
        self,
        channel: socket.socket,
        control: socket.socket,
        on_gone: Callable[[PythonKernel], None],
    ) -> None:
        self._line = bytearray()
        self._run: PythonRun | None = None
        self._held: list[bytes] = []
        self._answers: deque[tuple[bytes, asyncio.Event]] = deque()
        self._interrupting = 0
        self._settled: asyncio.Future[None] | None = None
        self._refusal = ""
        self._alive = True
        self._on_gone = on_gone
        self._gone = asyncio.Event()
        self._channel = Link(channel, self._take_lines)
        self._control = Link(control, self._take_answers)

    @property
    def alive(self) -> bool:
        """Whether it can take cells."""
        return self._alive

    async def settle(self, place: Mapping[str, object]) -> None:
        """Make it a kernel of its guest.

        Args:
            place: The first message that `worker/worker.py` waits for.

        Raises:
            KernelStartError: It refused or died.
        """
        settled = self._settled = asyncio.get_running_loop().create_future()
        if not self._alive:
            settled.set_result(None)
        self._send(place)
        await settled
        if not self._alive:
            raise KernelStartError(self._refusal or "the kernel's process ended at once")

    def run(
        self, code: str, *, variables: Mapping[str, str], on_end: Callable[[], None]
    ) -> PythonRun:
        """Start a cell."""
        if self._run is not None:
            raise AssertionError("a kernel runs one cell at a time")
        run = PythonRun(self, on_end)
        if not self._alive:
            run.end(died=True)
            return run
        self._run = run
        self._send({"code": code, "variables": dict(variables)})
        return run

    def change_variables(self, changes: Mapping[str, str | None]) -> None:
        """Set and remove environment variables."""
        self._send({"variables": dict(changes)})

    def interrupt(self) -> None:
        """SIGINT to the kernel's process group; the next cell is held until it was sent."""
        self._interrupting += 1
        self._ask(b"i")

    def read_on(self) -> None:
        """There is room for more lines."""
        self._channel.resume()

    async def pause(self) -> None:
        """Stop all of its processes."""
        await self._ask(b"s").wait()

    async def resume(self) -> None:
        """Let them go on."""
        await self._ask(b"c").wait()

    async def close(self) -> None:
        """End it and wait until nothing of it is left."""
        self._control.send(b"k")
        # A process that cannot be killed (a dead network mount) must not hold the server.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_TIMEOUT_S):
                await self._gone.wait()
        self._take_answers(b"")

    def _send(self, message: Mapping[str, object]) -> None:
        data = json.dumps(message).encode()
        data = len(data).to_bytes(4, "big") + data
        if self._interrupting:
            self._held.append(data)
        else:
            self._channel.send(data)

    def _ask(self, command: bytes) -> asyncio.Event:
        answered = asyncio.Event()
        if self._gone.is_set():
            answered.set()
        else:
            self._answers.append((command, answered))
            self._control.send(command)
        return answered

    def _take_answers(self, data: bytes) -> None:
        for answer in data:
            if answer == ord("d"):
                self._channel.finish()
                continue
            if answer == ord("e"):
                data = b""
                break
            command, answered = self._answers.popleft()
            answered.set()
            self._interrupting -= command == b"i"
        if not self._interrupting:
            for held in self._held:
                self._channel.send(held)
            self._held.clear()
        if not data and not self._gone.is_set():
            self._gone.set()
            self._control.close()
            self._channel.finish()
            for _, answered in self._answers:
                answered.set()
            self._on_gone(self)

    def _take_lines(self, data: bytes) -> None:
        if not data:
            self._die()
            return
        self._line += data
        if b"\n" not in data:
            return  # a long line: not to be looked through again with each piece
        *lines, rest = self._line.split(b"\n")
        self._line = bytearray(rest)
        for line in lines:
            self._take_line(bytes(line))

    def _take_line(self, line: bytes) -> None:
        if self._settled is not None and not self._settled.done():
            word, *reason = json.loads(line)
            self._refusal = "".join(map(str, reason))
            if word == "ready":
                self._settled.set_result(None)
        elif line == b'["end"]':
            self._end_run(died=False)
        elif self._run is not None and not self._run.take(line):
            self._channel.pause()

    def _die(self) -> None:
        self._alive = False
        if self._settled is not None and not self._settled.done():
            self._settled.set_result(None)
        self._end_run(died=True)

    def _end_run(self, *, died: bool) -> None:
        run, self._run = self._run, None
        if run is not None:
            run.end(died=died)
