"""The processes that a daemon started: listing, finding, input, signals, how they ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from fake_e2b.backend.spawning import Command, go_reason, spawn_command
from fake_e2b.domain.clock import SECOND_NS, Clock
from fake_e2b.domain.envd_errors import EnvdError, EnvdKind
from fake_e2b.domain.ports import Guest, Process, StdinClosedError
from fake_e2b.domain.process import ProcessExit, PtySize

REMEMBERED_NS = 30 * SECOND_NS
"""How long an ended process can be connected to. Fact: envd.process.connect.ended"""

_SIGNAL_NAMES = {0: "SIGNAL_UNSPECIFIED", 9: "SIGNAL_SIGKILL", 15: "SIGNAL_SIGTERM"}


@dataclass(frozen=True, slots=True)
class Selector:
    """Which process is meant: by pid, or by tag; neither is a mistake of the client."""

    pid: int | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Started:
    """A process in the table; `config` is the client's own description of it."""

    pid: int
    tag: str | None
    config: Mapping[str, Any] | None
    process: Process


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that ended a short while ago."""

    pid: int
    tag: str | None
    exit: ProcessExit
    ended_at_ns: int


class ProcessListener(Protocol):
    """Hears of every process of a table."""

    def started(self, started: Started) -> None:
        """It runs."""
        ...

    def ended(self, started: Started, end: ProcessExit | None) -> None:
        """It ended so; None: it goes with its sandbox."""
        ...


class ProcessTable:
    """All processes started through one daemon.

    A process leaves the list by itself the moment it has ended. Whoever sees that moment calls
    `note_end`, so that the time of its end is known.
    """

    def __init__(self, guest: Guest, clock: Clock, listener: ProcessListener | None = None) -> None:
        self._listener = listener
        self._guest = guest
        self._clock = clock
        self._started: dict[int, Started] = {}
        self._ended: dict[int, Ended] = {}

    async def start(
        self, command: Command, *, config: Mapping[str, Any] | None, tag: str | None
    ) -> Started:
        """Start a process and list it; a remembered end with its pid or tag is dropped.

        Raises:
            EnvdError: See `spawn_command`.
        """
        process = await spawn_command(self._guest, command)
        started = Started(process.pid, tag, config, process)
        self._forget(
            ended.pid
            for ended in self._ended.values()
            if ended.pid == started.pid or (tag is not None and ended.tag == tag)
        )
        replaced = self._started.get(started.pid)
        if replaced is not None:
            self.note_end(replaced)
        self._started[started.pid] = started
        if self._listener is not None:
            self._listener.started(started)
        return started

    def running(self) -> list[Started]:
        """Every process that has not ended. Fact: envd.process.list"""
        return [started for started in self._started.values() if started.process.exit is None]

    def find(self, selector: Selector) -> Started:
        """The running process that is meant.

        Raises:
            EnvdError: `PID_UNKNOWN`, `TAG_UNKNOWN` or `SELECTOR_EMPTY`.

        Fact: envd.process.selector
        """
        if selector.pid is not None:
            started = self._started.get(selector.pid)
            if started is not None and started.process.exit is None:
                return started
            raise EnvdError(EnvdKind.PID_UNKNOWN, pid=selector.pid)
        if selector.tag is None:
            raise EnvdError(EnvdKind.SELECTOR_EMPTY)
        for started in self._started.values():
            if started.tag == selector.tag and started.process.exit is None:
                return started
        raise EnvdError(EnvdKind.TAG_UNKNOWN, tag=selector.tag)

    def find_or_recall(self, selector: Selector) -> Started | Ended:
        """The same, or the end of one that ended less than 30 s ago.

        Raises:
            EnvdError: As `find`.
        """
        try:
            return self.find(selector)
        except EnvdError:
            self._settle()
            for ended in self._ended.values():
                if ended.pid == selector.pid or (
                    selector.tag is not None and ended.tag == selector.tag
                ):
                    return ended
            raise

    def note_end(self, started: Started) -> None:
        """Remember how a process ended, from now on for 30 s; nothing to do a second time."""
        end = started.process.exit
        if end is None or self._started.get(started.pid) is not started:
            return
        del self._started[started.pid]
        now_ns = self._clock.now_ns()
        self._forget_old(now_ns)
        self._ended[started.pid] = Ended(started.pid, started.tag, end, now_ns)
        if self._listener is not None:
            self._listener.ended(started, end)

    def clear(self) -> None:
        """Forget everything: the sandbox's end."""
        if self._listener is not None:
            for started in self._started.values():
                self._listener.ended(started, started.process.exit)
        self._started.clear()
        self._ended.clear()

    def _settle(self) -> None:
        for started in list(self._started.values()):
            self.note_end(started)
        self._forget_old(self._clock.now_ns())

    def _forget_old(self, now_ns: int) -> None:
        oldest_ns = now_ns - REMEMBERED_NS
        self._forget(e.pid for e in self._ended.values() if e.ended_at_ns <= oldest_ns)

    def _forget(self, pids: Iterator[int]) -> None:
        for pid in list(pids):
            del self._ended[pid]


async def write_stdin(started: Started, data: bytes) -> None:
    """Write to a process's stdin; waits while the pipe is full.

    Raises:
        EnvdError: It runs in a terminal, or its stdin is closed.

    Fact: envd.process.send-input
    """
    if started.process.is_pty:
        raise EnvdError(EnvdKind.STDIN_HAS_PTY)
    try:
        await started.process.write(data)
    except StdinClosedError as error:
        raise EnvdError(EnvdKind.STDIN_CLOSED) from error
    except BrokenPipeError as error:
        raise EnvdError(EnvdKind.STDIN_BROKEN, pid=started.pid) from error


async def write_pty(started: Started, data: bytes) -> None:
    """Write to a process's terminal.

    Raises:
        EnvdError: It has none, or the terminal is gone.
    """
    if not started.process.is_pty:
        raise EnvdError(EnvdKind.PTY_MISSING)
    try:
        await started.process.write(data)
    except (StdinClosedError, OSError) as error:
        reason = go_reason(error) if isinstance(error, OSError) else "file already closed"
        raise EnvdError(EnvdKind.PTY_WRITE_FAILED, pid=started.pid, reason=reason) from error


def close_stdin(started: Started) -> None:
    """Close a process's stdin; closed or absent already is fine.

    Raises:
        EnvdError: It runs in a terminal.

    Fact: envd.process.close-stdin
    """
    if started.process.is_pty:
        raise EnvdError(EnvdKind.CLOSE_STDIN_OF_PTY)
    started.process.close_stdin()


def send_signal(started: Started, number: int) -> None:
    """Send SIGKILL or SIGTERM to the one process, not to its children.

    Raises:
        EnvdError: Another signal, or the process is dead.

    Fact: envd.process.send-signal
    """
    if number not in (9, 15):
        raise EnvdError(EnvdKind.SIGNAL_INVALID, signal=_SIGNAL_NAMES.get(number, number))
    try:
        started.process.signal(number)
    except ProcessLookupError as error:
        raise EnvdError(EnvdKind.SIGNAL_TO_DEAD) from error


def resize(started: Started, size: PtySize | None) -> None:
    """Resize a process's terminal; None leaves it as it is.

    Raises:
        EnvdError: It has no terminal, or the terminal is gone.

    Fact: envd.process.update
    """
    if not started.process.is_pty:
        raise EnvdError(EnvdKind.RESIZE_WITHOUT_PTY)
    if size is None:
        return
    try:
        started.process.resize(size)
    except OSError as error:
        raise EnvdError(EnvdKind.RESIZE_FAILED, reason=go_reason(error)) from error
