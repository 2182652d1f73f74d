"""The code interpreter of one sandbox: its contexts, and which of them runs a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from fake_e2b.backend.executions import Cell, Context, Execution
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.errors import GapError
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.interpreter_errors import InterpreterError, InterpreterKind
from fake_e2b.domain.kernel import Kernel, Kernels
from fake_e2b.domain.ports import Event, Guest

DEFAULT_CWD = "/home/user"
_DEFAULT_ID = "default"
"""An alias of the start-up Python context that is never listed."""

_ALIASES = {"js": "javascript", "ts": "typescript"}
_PREPARED = frozenset({"python", "javascript", "typescript", "bash", "r", "java"})
"""The languages whose contexts get the sandbox's variables and their working folder."""
_KERNELS = {"python": "python", "python3": "python", "bash": "bash"}
"""The kernels that the fake has, by the names that contexts know them by."""

_UNAUTHORISED = {
    "code": "401",
    "message": "unauthorized access, please provide a valid access token or method signing "
    "if supported",
}
"""envd's refusal, which the real server takes for variables (fact: interpreter.token.wrong)."""


class Envd(Protocol):
    """What the interpreter asks of the sandbox's daemon."""

    @property
    def access_token(self) -> str | None: ...
    @property
    def env_vars(self) -> Mapping[str, str]: ...


class Interpreter:
    """Contexts and executions of one boot of a sandbox.

    Two contexts exist from the start, `python` and `javascript`; their kernels, like all others
    without a folder of their own, are started by their first run.

    Args:
        kernels: Starts kernels; it is told to get warm at once.
        make_event: What a queued run waits with.
    """

    def __init__(
        self,
        guest: Guest,
        envd: Envd,
        kernels: Kernels,
        clock: Clock,
        ids: IdSource,
        make_event: Callable[[], Event],
    ) -> None:
        self._guest = guest
        self._envd = envd
        self._kernels = kernels
        self._clock = clock
        self._ids = ids
        self._make_event = make_event
        self._contexts: dict[str, Context] = {}
        self._defaults: dict[str, str] = {}
        for language in ("python", "javascript"):
            self._add_default(language)
        kernels.warm()

    def contexts(self) -> list[Context]:
        """All of them, oldest first."""
        return list(self._contexts.values())

    async def create(self, *, language: str | None, cwd: str | None) -> Context:
        """A further context; its kernel is started now, in `cwd`.

        Raises:
            InterpreterError: There is no such kernel, `KERNEL_UNKNOWN`.
            GapError: The real service has that kernel and the fake has not.
            KernelStartError: The machine refused.

        Facts: interpreter.contexts.create, interpreter.contexts.bad-cwd
        """
        name = _normalised(language or "python")
        self._check_kernel(name)
        context = self._new_context(name, cwd or DEFAULT_CWD)
        try:
            await context.ensure_kernel(context.cwd if name in _PREPARED else DEFAULT_CWD)
        except BaseException:
            context.removed = True
            raise
        self._contexts[context.context_id] = context
        return context

    async def restart(self, context_id: str) -> None:
        """A fresh kernel under the same ID, in the home folder.

        Raises:
            InterpreterError: No such context, `CONTEXT_UNKNOWN`.
        """
        await self._find(context_id).restart()

    async def remove(self, context_id: str) -> None:
        """End the kernel and forget the context.

        Raises:
            InterpreterError: No such context, `CONTEXT_UNKNOWN`.
        """
        context = self._find(context_id)
        context.removed = True
        del self._contexts[context.context_id]
        await context.restart()

    def execute(
        self,
        code: str,
        *,
        context_id: str | None,
        language: str | None,
        variables: Mapping[str, str],
        access_token: str | None,
    ) -> Execution:
        """Queue a run; the answer's headers can go out when this has returned.

        Args:
            variables: For this run only.
            access_token: The request's, with which the sandbox's variables are fetched.

        Raises:
            InterpreterError: Context and language given, or the context is not there.
            GapError: The real service has that kernel and the fake has not.

        Fact: interpreter.execute.context-choice
        """
        context = self._choose(context_id or None, language or None)
        self._check_kernel(context.language)
        prepared = context.language in _PREPARED

        def sandbox_variables() -> Mapping[str, str]:
            return self._sandbox_variables(access_token) if prepared else {}

        return context.enqueue(Cell(code, variables if prepared else {}, sandbox_variables))

    async def pause(self) -> None:
        """Stop every kernel; no CPU time passes until `resume`."""
        for context in self.contexts():
            if context.kernel is not None:
                await context.kernel.pause()

    async def resume(self) -> None:
        """Let the kernels go on."""
        for context in self.contexts():
            if context.kernel is not None:
                await context.kernel.resume()

    async def close(self) -> None:
        """End every kernel; runs in progress break off without an answer."""
        for context in self.contexts():
            context.closed = True
        for context in self.contexts():
            await context.restart()

    def _choose(self, context_id: str | None, language: str | None) -> Context:
        if context_id is not None and language is not None:
            raise InterpreterError(InterpreterKind.BOTH_CHOSEN)
        if language is None:
            return self._find(context_id or _DEFAULT_ID)
        name = _normalised(language)
        if name not in self._defaults:
            self._check_kernel(name)
            return self._add_default(name)
        context = self._contexts.get(self._defaults[name])
        if context is None:
            raise InterpreterError(InterpreterKind.CONTEXT_UNKNOWN, context_id=None)
        return context

    def _find(self, context_id: str) -> Context:
        wanted = self._defaults["python"] if context_id == _DEFAULT_ID else context_id
        context = self._contexts.get(wanted)
        if context is None:
            raise InterpreterError(InterpreterKind.CONTEXT_UNKNOWN, context_id=context_id)
        return context

    def _check_kernel(self, language: str) -> None:
        if language not in _KERNELS:
            if language not in _PREPARED:
                raise InterpreterError(InterpreterKind.KERNEL_UNKNOWN, language=language)
            raise GapError("execute", f"there is no {language} kernel, only python and bash")
        if reason := self._kernels.missing(_KERNELS[language]):
            raise GapError("execute", reason)

    def _add_default(self, language: str) -> Context:
        context = self._new_context(language, DEFAULT_CWD)
        self._defaults[language] = context.context_id
        self._contexts[context.context_id] = context
        return context

    def _new_context(self, language: str, cwd: str) -> Context:
        async def start(folder: str) -> Kernel:
            return await self._kernels.start_kernel(
                self._guest, language=_KERNELS[language], cwd=folder
            )

        return Context(
            context_id=self._ids.uuid(),
            language=language,
            cwd=cwd,
            start=start,
            make_event=self._make_event,
            clock=self._clock,
        )

    def _sandbox_variables(self, access_token: str | None) -> Mapping[str, str]:
        """What envd tells the server with the request's token.

        Fact: interpreter.token.wrong
        """
        expected = self._envd.access_token
        return self._envd.env_vars if expected in (None, access_token) else _UNAUTHORISED


def _normalised(language: str) -> str:
    name = language.lower().strip()
    return _ALIASES.get(name, name)
