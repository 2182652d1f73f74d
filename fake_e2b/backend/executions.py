"""One context of the code interpreter: who runs next on its kernel, and how a run ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from fake_e2b.domain.clock import Clock
from fake_e2b.domain.errors import FakeE2BError
from fake_e2b.domain.kernel import (
    Failed,
    Kernel,
    KernelDiedError,
    KernelMessage,
    KernelStartError,
    Run,
)
from fake_e2b.domain.ports import Event

_HOME = "/home/user"

_RESTARTING = Failed("ContextRestarting", "Context was restarted", ())
_LOST = Failed("WebSocketError", "The connections was lost, rerun the code to get the results", ())
_NOT_SENT = Failed("WebSocketError", "Failed to send execution request", ())
_ENDED_EARLY = Failed(
    "UnexpectedEndOfExecution",
    "Connection to the execution was closed before the execution was finished",
    (),
)


class ContextClosedError(FakeE2BError):
    """The sandbox ended: nobody is there any more to give an answer."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that came together; `at_ns` is when they came."""

    at_ns: int
    messages: Sequence[KernelMessage]


@dataclass(frozen=True, slots=True)
class Cell:
    """What a run is asked to run.

    Attributes:
        variables: The environment variables of this run alone.
        sandbox_variables: Gives those of the sandbox; asked in a context's first run only.
    """

    code: str
    variables: Mapping[str, str]
    sandbox_variables: Callable[[], Mapping[str, str]]


class Context:
    """A kernel's place in the list of contexts; the kernel is started when it is needed.

    Runs go first come, first served. Each kernel that the context has had is a boot: a run that
    was cut off by the end of its boot can tell.

    Args:
        start: Starts a kernel in a working folder.
    """

    def __init__(
        self,
        *,
        context_id: str,
        language: str,
        cwd: str,
        start: Callable[[str], Awaitable[Kernel]],
        make_event: Callable[[], Event],
        clock: Clock,
    ) -> None:
        self.context_id = context_id
        self.language = language
        self.cwd = cwd
        self.boot = 0
        self.removed = False
        self.closed = False
        self.variables: Mapping[str, str] | None = None
        self.clock = clock
        self.kernel: Kernel | None = None
        self._start = start
        self._make_event = make_event
        self._queue: deque[Execution] = deque()

    def enqueue(self, cell: Cell) -> Execution:
        """A run that waits for its turn."""
        execution = Execution(self, cell, self._make_event())
        self._queue.append(execution)
        if self._queue[0] is execution:
            execution.turn.set()
        return execution

    def dequeue(self, execution: Execution) -> None:
        """The run is over, or will never begin: the next one's turn."""
        first = bool(self._queue) and self._queue[0] is execution
        if execution in self._queue:
            self._queue.remove(execution)
        if first and self._queue:
            self._queue[0].turn.set()

    async def ensure_kernel(self, cwd: str = _HOME) -> Kernel:
        """The living kernel, started now if there is none.

        Raises:
            ContextClosedError: The sandbox ended meanwhile.
            KernelStartError: It cannot be started.
        """
        while self.kernel is None or not self.kernel.alive:
            boot = self.boot
            kernel = await self._start(cwd)
            if self.closed or self.removed or boot != self.boot:
                await kernel.close()
                if self.closed or self.removed:
                    raise ContextClosedError
            else:
                self.kernel = kernel
        return self.kernel

    async def restart(self) -> None:
        """End the kernel and forget what it was given; the next run starts another.

        Fact: interpreter.contexts.restart
        """
        self.boot += 1
        self.variables = None
        kernel, self.kernel = self.kernel, None
        if kernel is not None:
            await kernel.close()


class Execution:
    """One `/execute` request: `begin`, `read` until it is empty, and `leave` in any case."""

    def __init__(self, context: Context, cell: Cell, turn: Event) -> None:
        self.turn = turn
        self._context = context
        self._cell = cell
        self._run: Run | None = None
        self._boot = context.boot
        self._ended = False
        self._left = False
        self._last_words: list[KernelMessage] = []

    async def begin(self) -> None:
        """Wait for the turn, then start the cell.

        Raises:
            ContextClosedError: The sandbox ended meanwhile.
        """
        await self.turn.wait()
        context = self._context
        try:
            if context.removed:
                self._fail(_NOT_SENT, _ENDED_EARLY)
                return
            kernel = await context.ensure_kernel()
        except ContextClosedError:
            if not context.removed:
                raise
            self._fail(_LOST, _ENDED_EARLY)
            return
        except KernelStartError as error:
            self._fail(Failed("KernelStartError", str(error), ()), _ENDED_EARLY)
            return
        self._boot = context.boot
        variables = dict(self._cell.variables)
        if context.variables is None:
            context.variables = dict(self._cell.sandbox_variables())
            variables = {**context.variables, **variables}
        self._run = kernel.run(self._cell.code, variables=variables, on_end=self._on_end)

    async def read(self) -> Batch | None:
        """What came next; None after the last.

        Raises:
            ContextClosedError: The sandbox ended meanwhile.
        """
        messages: Sequence[KernelMessage] = ()
        if self._run is not None:
            try:
                messages = await self._run.read()
            except KernelDiedError:
                self._run = None
                self._say_why()
        if not messages:
            messages, self._last_words = self._last_words, []
        return Batch(self._context.clock.now_ns(), messages) if messages else None

    def leave(self) -> None:
        """The client has its answer, or is gone: then a running cell is interrupted.

        Facts: interpreter.disconnect.running, interpreter.disconnect.queued
        """
        if self._left:
            return
        self._left = True
        if self._run is None:
            self._context.dequeue(self)
        elif not self._ended:
            self._run.abandon()

    def _fail(self, *words: KernelMessage) -> None:
        self._last_words = list(words)
        self._context.dequeue(self)

    def _say_why(self) -> None:
        """The kernel ended under the cell: by itself, or because it was asked to."""
        context = self._context
        if context.closed:
            raise ContextClosedError
        if context.removed or context.boot != self._boot:
            self._last_words = [_LOST, _ENDED_EARLY]
        else:
            self._last_words = [_RESTARTING]

    def _on_end(self) -> None:
        """The kernel is free: put the variables back, unless the client went away.

        Facts: interpreter.variables.restored, interpreter.variables.disconnect
        """
        self._ended = True
        context = self._context
        kernel = context.kernel
        if self._cell.variables and not self._left and kernel is not None and kernel.alive:
            ours = context.variables or {}
            kernel.change_variables({name: ours.get(name) for name in self._cell.variables})
        context.dequeue(self)
