"""Which line of the program made a request.

A client waits for its answer, so at the moment when a request arrives the call that made it stands
on the stack of one of this process's threads, or of a task of one of its event loops. Nothing of
the client is changed to see it. It cannot be seen where the client is another process, where the
library's function is a thread's or task's own first function, or where the loop is not Python's
(uvloop); where several calls have been begun at once any of them may be meant. What is not known is
said.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from fake_e2b.domain.journal import JournalRecord, RecordKind

if TYPE_CHECKING:
    from fake_e2b.testing.fake import FakeE2B

_CLIENTS = frozenset(
    {"e2b", "e2b_code_interpreter", "e2b_desktop", "pyqwest", "connectrpc", "httpx", "httpcore"}
    | {"requests", "urllib3", "aiohttp", "websockets", "websocket", "http", "urllib"}
)
"""Packages that wait for answers."""
_NOT_OWN = frozenset({"site-packages", "dist-packages"})
_PLUGIN = ("conftest_plugin", "fixtures.py")
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Line:
    """A place in the program.

    Attributes:
        path: Relative to the root folder.
        in_test: The numbers of all lines of the test's file on the stack, the innermost first.
    """

    path: str
    number: int
    in_test: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.path}:{self.number}" if self.number else self.path


@dataclass(frozen=True, slots=True)
class CallSite:
    """Where a request comes from.

    Attributes:
        lines: Where it was made; several if it may be any of them, none if nobody can tell.
        near: Where the test was at that moment, if that is all there is to say.
    """

    lines: tuple[Line, ...] = ()
    near: Line | None = None

    def __str__(self) -> str:
        if self.lines:
            return " or ".join(map(str, self.lines))
        if self.near is not None:
            return f"out of sight (the test was at {self.near})"
        return "out of sight"


class _Kind(Enum):
    TEST = "the test's file"
    OWN = "the user's code"
    FIXTURE = "the plugin's fixture"
    RUNNER = "pytest itself: no test's code stands behind it"
    CLIENT = "what waits for an answer"
    OTHER = "anything else"


@dataclass(frozen=True, slots=True)
class _Stack:
    """What a thread or a task is at."""

    line: Line | None
    waits: bool
    call: int
    """What tells this call from the stack's next one."""


class CallSites:
    """Notes where each request to a fake is made, from now on until `close`.

    Args:
        file: The test's; its lines are named before those of what it calls.
        root: Below it is the user's code.
    """

    def __init__(self, fake: FakeE2B, file: Path, root: Path) -> None:
        self._file = str(file)
        self._root = root
        self._kinds: dict[CodeType, _Kind] = {}
        self._sites: dict[int, CallSite] = {}
        self._open: dict[int, JournalRecord] = {}
        self.close: Callable[[], None] = fake._fake().journal.on_change(self._note)
        """Stop looking; what was noted stays."""

    def site(self, sequence: int) -> CallSite | None:
        """Where the request of that number in the journal was made; None: it was not looked at."""
        return self._sites.get(sequence)

    def _note(self, record: JournalRecord) -> None:
        if record.kind is not RecordKind.REQUEST or record.sequence in self._sites:
            return
        if len(self._sites) < _MOST:
            self._sites[record.sequence] = self._look(record)

    def _look(self, record: JournalRecord) -> CallSite:
        stacks = list(self._stacks())
        waiting = self._unanswered(stacks)
        if len(waiting) == 1:
            self._open[waiting[0].call] = record
        lines = tuple(dict.fromkeys(each.line for each in waiting if each.line is not None))
        if lines:
            return CallSite(lines)
        # Best what waits for something else: the test, for those that it has started.
        near = sorted((each for each in stacks if each.line), key=lambda each: each.waits)
        return CallSite(near=near[0].line if near else None)

    def _unanswered(self, stacks: Sequence[_Stack]) -> Sequence[_Stack]:
        """Those that a new request may come from."""
        self._open = {call: each for call, each in self._open.items() if each.is_open}
        waiting = [each for each in stacks if each.waits]
        free = [each for each in waiting if each.call not in self._open]
        if free:
            return free
        # A call whose answer has begun may have returned, and one like it may be there now.
        return [each for each in waiting if self._open[each.call].status is not None]

    def _stacks(self) -> Iterator[_Stack]:
        loops = []
        here = threading.get_ident()
        for thread, innermost in sys._current_frames().items():
            if thread == here:
                continue
            frames = []
            frame: FrameType | None = innermost
            while frame is not None and self._kind(frame) is not _Kind.RUNNER:
                frames.append(frame)
                if frame.f_code.co_name == "run_forever" and "self" in frame.f_code.co_varnames:
                    loops.append(frame.f_locals["self"])
                frame = frame.f_back
            stack = self._stack(frames, thread, alone=True)
            if stack is not None:
                yield stack
        for loop in loops:
            for task in _tasks(loop):
                stack = self._stack(_frames_of(task), id(task))
                if stack is not None:
                    yield stack

    def _stack(
        self, frames: Sequence[FrameType], owner: int, *, alone: bool = False
    ) -> _Stack | None:
        """What stands on a stack, innermost first; None: nothing that says anything.

        Args:
            alone: Whether a client counts where nothing of the user's code stands behind it. Tasks
                of that kind are the clients' own helpers.
        """
        waits, call, nearest, in_test = False, owner, None, list[int]()
        for frame in frames:
            kind = self._kind(frame)
            if kind is _Kind.CLIENT and nearest is None:
                waits, call = True, id(frame)
            elif kind is _Kind.TEST:
                in_test.append(frame.f_lineno or 0)
                nearest = nearest or frame
            elif kind in (_Kind.OWN, _Kind.FIXTURE):
                nearest = nearest or frame
        if nearest is None:
            return _Stack(None, waits, hash((owner, call))) if waits and alone else None
        call = hash((owner, call, nearest.f_lasti))
        if in_test:
            return _Stack(Line(self._shown(self._file), in_test[0], tuple(in_test)), waits, call)
        if self._kind(nearest) is _Kind.FIXTURE:
            name = nearest.f_code.co_name.lstrip("_").replace("async_sandbox", "e2b_async_sandbox")
            return _Stack(Line(f"the fixture {name}", 0), waits, call)
        path = self._shown(nearest.f_code.co_filename)
        return _Stack(Line(path, nearest.f_lineno or 0), waits, call)

    def _kind(self, frame: FrameType) -> _Kind:
        code = frame.f_code
        kind = self._kinds.get(code)
        if kind is None:
            kind = self._kinds[code] = self._kind_of(code.co_filename, frame.f_globals)
        return kind

    def _kind_of(self, filename: str, names: dict[str, Any]) -> _Kind:
        if filename == self._file:
            return _Kind.TEST
        package = str(names.get("__name__")).partition(".")[0]
        if package in _CLIENTS:
            return _Kind.CLIENT
        if package == "_pytest":
            return _Kind.RUNNER
        path = Path(filename)
        if path.parts[-2:] == _PLUGIN:
            return _Kind.FIXTURE
        if package in ("fake_e2b", "conftest_plugin") or not path.is_relative_to(self._root):
            return _Kind.OTHER
        return _Kind.OTHER if _NOT_OWN & set(path.parts) else _Kind.OWN

    def _shown(self, filename: str) -> str:
        path = Path(filename)
        return str(path.relative_to(self._root) if path.is_relative_to(self._root) else path)


def _tasks(loop: asyncio.AbstractEventLoop) -> set[asyncio.Task[Any]]:
    try:
        return asyncio.all_tasks(loop)
    except RuntimeError:
        return set()  # Too many tasks come and go: asyncio has given up looking.


def _frames_of(task: asyncio.Task[Any]) -> Sequence[FrameType]:
    """The frames of what a suspended task awaits, innermost first."""
    frames = []
    step: Any = task.get_coro()
    while step is not None:
        frame = getattr(step, "cr_frame", None) or getattr(step, "gi_frame", None)
        if frame is not None:
            frames.append(frame)
        step = getattr(step, "cr_await", None) or getattr(step, "gi_yieldfrom", None)
    return frames[::-1]
