"""Everything a kernel says, in order, through one thread.

The thread merges text per stream (sent 0.2 s after the first unsent write, on `flush()`, before
a displayed value and at the end of a cell), reads what child processes wrote to file descriptors
1 and 2, and is the only writer of the socket, so an interrupt can never cut a message in two.
What is written outside a cell, or by leftovers of an earlier cell, is dropped.

Fact: interpreter.python.streams
"""

from __future__ import annotations

import codecs
import contextlib
import contextvars
import io
import json
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Literal, NoReturn

StreamName = Literal["stdout", "stderr"]

_FLUSH_INTERVAL_S = 0.2
_BACKLOG_LIMIT = 8 * 1024 * 1024
"""Characters that may wait; beyond it a writing cell waits for the reader."""

_THREAD_MARK = "_fake_e2b_run"


class _Captured:
    """A file descriptor whose writes, by this process or its children, become text."""

    def __init__(self, fd: int, stream: StreamName) -> None:
        self.stream = stream
        self.reader, writer = os.pipe()
        os.set_blocking(self.reader, False)
        os.dup2(writer, fd, inheritable=True)
        os.close(writer)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def read(self) -> str:
        """All that is there now."""
        found = []
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.reader, 65536):
                found.append(self._decoder.decode(data))
        return "".join(found)


class Outbox:
    """The kernel's way out.

    Args:
        channel: The socket to the server; reading it stays the caller's.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._pid = os.getpid()
        self._queue: deque[tuple[str, int, str, str]] = deque()
        self._buffers: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._due: float | None = None
        self._armed = False
        self._waiting = 0
        self._room = threading.Event()
        self._flushes: deque[threading.Event] = deque()
        self._active: int | None = None
        self._reading = threading.Lock()
        self._run: contextvars.ContextVar[int] = contextvars.ContextVar("run")
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._captured = (_Captured(1, "stdout"), _Captured(2, "stderr"))
        self._remember_thread_origins()
        threading.Thread(target=self._send_for_ever, name="fake-e2b-outbox", daemon=True).start()

    def _remember_thread_origins(self) -> None:
        """Tie each new thread to the cell that starts it, as asyncio ties its tasks."""
        start = threading.Thread.start

        def start_marked(thread: threading.Thread) -> None:
            setattr(thread, _THREAD_MARK, self._origin())
            start(thread)

        threading.Thread.start = start_marked  # type: ignore[method-assign, assignment]  # a hook

    def _origin(self) -> int | None:
        """The cell that the running code belongs to."""
        run = self._run.get(None)
        if run is None:
            run = getattr(threading.current_thread(), _THREAD_MARK, self._active)
        return run

    def begin(self, run: int, first: Iterable[object]) -> None:
        """Open a cell; `first` is its first message. Output from before it is dropped."""
        self._run.set(run)
        with self._reading:
            for captured in self._captured:
                captured.read()
            self._active = run
        self._put("message", run, "", json.dumps(list(first)))

    def post(self, message: Iterable[object]) -> None:
        """Send a message of the running cell after all text before it."""
        run = self._active if (origin := self._origin()) is None else origin
        if run is not None:
            self._put("message", run, "", json.dumps(list(message)))

    def end(self, run: int) -> None:
        """Close the cell; all its text is sent first."""
        self._put("end", run, "", "")

    def write(self, stream: StreamName, text: str) -> None:
        """Add to a stream's text; from a forked child, through the file descriptor."""
        if os.getpid() != self._pid:
            fd = 1 if stream == "stdout" else 2
            data = text.encode(errors="replace")
            while data:
                data = data[os.write(fd, data) :]
            return
        run = self._origin()
        if run is None or run != self._active:
            return
        self._waiting += len(text)
        self._queue.append(("text", run, stream, text))
        if not self._armed:
            self._armed = True
            self._wake()
        if self._waiting > _BACKLOG_LIMIT:
            self._room.clear()
            self._wake()
            if self._waiting > _BACKLOG_LIMIT:
                self._room.wait()

    def flush(self) -> None:
        """Send the text so far, and wait until it is on its way."""
        if os.getpid() == self._pid and (run := self._active) is not None:
            sent = threading.Event()
            self._queue.append(("flush", run, "", ""))
            self._flushes.append(sent)
            self._wake()
            sent.wait()

    def _put(self, kind: str, run: int, stream: str, text: str) -> None:
        self._queue.append((kind, run, stream, text))
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, b"x")

    # From here on: the sending thread.

    def _send_for_ever(self) -> NoReturn:
        poll = select.poll()
        for fd in (self._wake_read, *(captured.reader for captured in self._captured)):
            poll.register(fd, select.POLLIN)
        while True:
            timeout_ms = None
            if self._due is not None:
                timeout_ms = max(0.0, self._due - time.monotonic()) * 1000
            ready = {fd for fd, _ in poll.poll(timeout_ms)}
            if self._wake_read in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 65536)
            # Read before the queue: what these wait for is in it by now, or was dropped.
            flushed = [self._flushes.popleft() for _ in range(len(self._flushes))]
            lines: list[str] = []
            self._take_queue(lines)
            self._take_captured()
            if self._due is not None and time.monotonic() >= self._due:
                self._armed = False
                self._take_queue(lines)
                self._flush_text(lines)
            if lines:
                self._send("".join(lines).encode())
            while flushed:
                flushed.pop().set()

    def _take_queue(self, lines: list[str]) -> None:
        while self._queue:
            kind, run, stream, text = self._queue.popleft()
            if run != self._active:
                continue
            if kind == "text":
                self._waiting -= len(text)
                self._buffer(stream, text)
                continue
            if kind == "end":
                self._take_captured()
            self._flush_text(lines)
            if kind == "message":
                lines.append(text + "\n")
            elif kind == "end":
                self._active = None
                lines.append('["end"]\n')
        self._waiting = 0
        self._room.set()

    def _take_captured(self) -> None:
        with self._reading:
            for captured in self._captured:
                text = captured.read()
                if text and self._active is not None:
                    self._buffer(captured.stream, text)

    def _buffer(self, stream: str, text: str) -> None:
        self._buffers[stream].append(text)
        if self._due is None:
            self._due = time.monotonic() + _FLUSH_INTERVAL_S

    def _flush_text(self, lines: list[str]) -> None:
        # In this order: who writes without waking this thread is in the queue, which is looked
        # at once more after each flush.
        self._armed = False
        self._due = None
        for stream, parts in self._buffers.items():
            if text := "".join(parts):
                lines.append(json.dumps([stream, text]) + "\n")
            parts.clear()

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._channel.send(view) :]
            except BlockingIOError:
                select.select([], [self._channel], [])
            except OSError:
                os._exit(0)  # the server is gone, and so is every reader


class Stream(io.TextIOBase):
    """What stands in for `sys.stdout` and `sys.stderr`: text only, never a terminal."""

    encoding = "utf-8"
    errors = "replace"
    mode = "w"

    def __init__(self, outbox: Outbox, stream: StreamName) -> None:
        self._outbox = outbox
        self._stream: StreamName = stream
        self.name = f"<{stream}>"

    def write(self, text: str) -> int:
        """Take text; anything else is a TypeError."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text)}")
        self._outbox.write(self._stream, text)
        return len(text)

    def flush(self) -> None:
        """Send what was written so far."""
        self._outbox.flush()

    def fileno(self) -> int:
        """The captured file descriptor, for child processes."""
        return 1 if self._stream == "stdout" else 2

    def writable(self) -> bool:
        """Yes."""
        return True

    def close(self) -> None:
        """Nothing to close: the stream lives as long as the kernel."""
