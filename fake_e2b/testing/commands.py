"""`FakeE2B.commands`: programs in sandboxes whose answers a test gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from fake_e2b.backend.stubs import StubInForce
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.stubs.call import StubCall
from fake_e2b.domain.stubs.form import named
from fake_e2b.domain.stubs.rule import Predicate, StubAnswer, StubMatch, StubRule
from fake_e2b.domain.stubs.words import words_of
from fake_e2b.runtime.stubs.line import CallerGoneError
from fake_e2b.server.stubs.running import RunningCall
from fake_e2b.server.stubs.service import Stubs
from fake_e2b.testing.running import Running

__all__ = ["CallerGoneError", "FakeCommands", "RunningCall", "Stub", "StubCall"]

Handler = Callable[[RunningCall], Any]


class Stub:
    """A stub in force; a context manager that takes it back."""

    def __init__(self, owner: FakeCommands, stub: StubInForce) -> None:
        self._owner = owner
        self._stub = stub

    @property
    def name(self) -> str:
        """By which it is listed, and known over HTTP."""
        return self._stub.rule.name

    @property
    def hits(self) -> int:
        """How many calls it answered."""
        return self._stub.hits

    @property
    def calls(self) -> list[StubCall]:
        """The calls that it answered or answers, oldest first; the last 10,000."""
        return self._owner._stubs().calls(self._stub)

    def remove(self) -> None:
        """Take it back: the program is real again. Twice is fine."""
        if not self._stub.removed:
            self._owner.remove(self.name)

    def __enter__(self) -> Stub:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<Stub {self.name!r}, {self.hits} calls>"


class FakeCommands:
    """Stubs for the programs that sandboxes run. Facts: fake.stubs.*"""

    def __init__(self, running: Running) -> None:
        self._running = running

    def stub(
        self,
        command: str | Sequence[str] | None = None,
        *,
        pattern: str | None = None,
        regex: str | None = None,
        program: str | Sequence[str] | None = None,
        where: Predicate | None = None,
        stdout: str | bytes = b"",
        stderr: str | bytes = b"",
        exit_code: int = 0,
        delay_s: float = 0.0,
        handler: Handler | None = None,
        sandbox: object = None,
        metadata: Mapping[str, str] | None = None,
        template: str | None = None,
        times: int | None = None,
        name: str | None = None,
    ) -> Stub:
        """Answer calls of a program in place of the program.

        It stands on the sandboxes' PATH, in those that run when this returns and in those to come.
        The newest stub that fits a call answers it; what none fits is the real program's.

        Args:
            command: The words of the command line, all of them: ``"npm install"`` does not answer
                ``npm install left-pad``.
            pattern: The same with ``*``, ``?`` and ``[…]`` in each word; a last ``*`` stands for
                any number of words.
            regex: Searched for in the command line, as `shlex.join` writes it.
            program: Names of programs, beside `regex` and `where`, or alone for all their calls.
            where: Is given the call (`sandbox_id`, `argv`, `cwd`, `env`) and says whether it is
                one.
            stdout, stderr, exit_code: The answer.
            delay_s: Real seconds before it.
            handler: Answers instead: is given the `RunningCall`, returns the exit code or None.
                ``async`` or not, it runs in a thread of its own.
            sandbox: Only in this one: its ID, or an object with a `sandbox_id`.
            metadata: Only in sandboxes with all of these pairs.
            template: Only in sandboxes of this template, by ID or name.
            times: How many calls it answers.
            name: None takes the command's text.

        Raises:
            UsageError: No call could fit, a number is out of range, or the name is taken.
        """
        match = StubMatch(
            command=None if command is None else words_of(command),
            pattern=pattern,
            regex=regex,
            programs=named(program),
            where=where,
            sandbox_id=_sandbox_id(sandbox),
            metadata=dict(metadata or {}),
            template=template,
        )
        answer = StubAnswer(_as_bytes(stdout), _as_bytes(stderr), exit_code, delay_s, handler)

        def make(free_name: Callable[[str], str]) -> StubRule:
            return StubRule(free_name(match.text) if name is None else name, match, answer, times)

        fake, thread = self._running()
        return Stub(self, thread.call(lambda: fake.stubs.add(make)))

    def list(self) -> list[Stub]:
        """Those in force, oldest first."""
        return [Stub(self, each) for each in self._stubs().all()]

    def get(self, name: str) -> Stub:
        """The stub of that name.

        Raises:
            UsageError: There is none.
        """
        return Stub(self, self._stubs().find(name))

    def remove(self, name: str) -> None:
        """Take one back.

        Raises:
            UsageError: There is none of that name.
        """
        fake, thread = self._running()
        thread.call(lambda: fake.stubs.remove(name))

    def reset(self) -> None:
        """Take all back; calls that are being answered end."""
        fake, thread = self._running()
        thread.call(fake.stubs.reset)

    def _stubs(self) -> Stubs:
        return self._running()[0].stubs


def _sandbox_id(sandbox: object) -> str | None:
    if sandbox is None or isinstance(sandbox, str):
        return sandbox
    found = getattr(sandbox, "sandbox_id", None)
    if not isinstance(found, str):
        raise UsageError(f"sandbox is an ID or an object with a sandbox_id, not {sandbox!r}")
    return found


def _as_bytes(data: str | bytes) -> bytes:
    if isinstance(data, str):
        return data.encode()
    if not isinstance(data, bytes):
        raise UsageError(f"an answer is text or bytes, not {data!r}")
    return data
