"""`fake.sandbox(…)`: what a test can do to one sandbox that nobody of its users asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from fake_e2b.backend.misfortunes import Misfortunes
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.ports import Program
from fake_e2b.domain.steering import sandbox_effects as effects
from fake_e2b.testing.faults import FakeFaults, Fault
from fake_e2b.testing.running import Running

Result = TypeVar("Result")


class HasSandboxID(Protocol):
    """A sandbox as an SDK or `FakeE2B.sandboxes` shows it."""

    @property
    def sandbox_id(self) -> str: ...


SandboxLike = str | HasSandboxID


class SandboxHandle:
    """One sandbox; see docs/sandbox-faults.md.

    What it can do is done when it returns, and lasts until it is taken back or the sandbox is
    gone. Methods that return a `Fault` put a rule about this sandbox in force: its `remove` takes
    it back, its `hits` tell how often it acted.
    """

    def __init__(self, running: Running, faults: FakeFaults, sandbox: SandboxLike) -> None:
        self._running = running
        self._faults = faults
        self.sandbox_id = sandbox if isinstance(sandbox, str) else sandbox.sandbox_id
        self._do(None, self._check_known)

    async def _check_known(self, misfortunes: Misfortunes) -> None:
        misfortunes.check_known(self.sandbox_id)

    def _do(self, what: str | None, step: Callable[[Misfortunes], Awaitable[Result]]) -> Result:
        """Take a step on the server's thread; it is in the journal if it has a name."""
        fake, thread = self._running()

        async def run() -> Result:
            result = await step(fake.misfortunes)
            if what is not None:
                fake.happened.misfortune(self.sandbox_id, what)
            return result

        return thread.call(run)

    def die(self) -> None:
        """End it now, running or paused: its streams break, and nobody finds it any more."""
        self._do("die", lambda misfortunes: misfortunes.die(self.sandbox_id))

    # -- its programs -----------------------------------------------------------------------------

    def programs(self) -> Sequence[Program]:
        """What runs in it, whoever started it, in order of the PIDs.

        Raises:
            UsageError: It does not run.
        """
        return self._do(None, lambda misfortunes: misfortunes.programs(self.sandbox_id))

    def kill_process(
        self, *, command: str | None = None, pid: int | None = None, signal: int = 9
    ) -> Sequence[Program]:
        """Send a signal to programs, those that programs started included.

        Args:
            command: Pattern of the whole command line, with ``*`` and ``?``; after ``re:`` a
                regular expression, searched for.
            pid: As the sandbox knows it.

        Returns:
            Those that got it.

        Raises:
            UsageError: None fits; the text says what runs. Or the sandbox does not run.
        """
        effect = effects.ProcessKilled(command=command, pid=pid, signal=signal)
        return self._do(
            "kill process", lambda misfortunes: misfortunes.kill_process(self.sandbox_id, effect)
        )

    def out_of_memory(self) -> Program:
        """Kill the program that holds most memory, as the kernel does when there is no more.

        Returns:
            The one that was killed.

        Raises:
            UsageError: No program runs in it, or it does not run itself.
        """
        return self._do(
            "out of memory", lambda misfortunes: misfortunes.out_of_memory(self.sandbox_id)
        )

    # -- its machine ------------------------------------------------------------------------------

    def fill_disk(self) -> None:
        """Leave no room on its disk: for the API everywhere, for programs where it is limited.

        Raises:
            UsageError: It does not run.
        """
        self._do("fill disk", lambda misfortunes: misfortunes.fill_disk(self.sandbox_id, "test"))

    def free_disk(self) -> None:
        """Give back what `fill_disk` took; nothing to do when it took nothing."""
        self._do("free disk", lambda misfortunes: misfortunes.free_disk(self.sandbox_id, "test"))

    def freeze(self) -> None:
        """Let all its programs stand still, and requests into it hang until `thaw`.

        Raises:
            UsageError: It does not run.
        """
        self._do("freeze", lambda misfortunes: misfortunes.freeze(self.sandbox_id))

    def thaw(self) -> None:
        """Let it go on, and serve the requests that hang; nothing to do when none do."""
        self._do("thaw", lambda misfortunes: misfortunes.thaw(self.sandbox_id))

    def skew_clock(self, *, seconds: float) -> None:
        """Let its services' clock lie ahead, or behind; 0 puts it right.

        Raises:
            UsageError: No clock shows that.
        """

        async def skew(misfortunes: Misfortunes) -> None:
            misfortunes.skew_clock(self.sandbox_id, seconds=seconds)

        self._do("skew clock", skew)

    def close_port(self, port: int) -> Fault:
        """Answer as for a closed port, whatever listens; 49983 is envd's own."""
        return self._faults.add(
            "*", effects.PortClosed(), sandbox_id=self.sandbox_id, port=_checked_port(port)
        )

    # -- its pauses -------------------------------------------------------------------------------

    def fail_resume(
        self, reason: effects.ResumeFailure = "failed", *, times: int | None = None
    ) -> Fault:
        """Let resumes fail, by calls and by traffic; it stays paused.

        Args:
            reason: What a call is told: ``"failed"`` (500), ``"no-capacity"`` (503) or
                ``"timed-out"`` (504).
            times: How many; None for all.
        """
        return self._rule(effects.ResumeFails(reason), times)

    def slow_resume(self, *, seconds: float, times: int | None = None) -> Fault:
        """Let resumes take longer, in real time."""
        return self._rule(effects.ResumeSlow(seconds), times)

    def lose_files(self, *, times: int | None = None) -> Fault:
        """Let resumes after the second or a later pause find the files of the first pause."""
        return self._rule(effects.FilesLost(), times)

    def refuse_pause(self, *, times: int | None = None) -> Fault:
        """Let pauses be refused with 409."""
        return self._faults.add(
            "pauseSandbox", effects.PauseConflicts(), sandbox_id=self.sandbox_id, times=times
        )

    def _rule(self, effect: effects.SandboxEffect, times: int | None) -> Fault:
        return self._faults.add("*", effect, sandbox_id=self.sandbox_id, times=times)

    def __repr__(self) -> str:
        return f"<SandboxHandle {self.sandbox_id}>"


def _checked_port(port: int) -> int:
    if not 1 <= port <= 65535:
        raise UsageError(f"a port is from 1 to 65535, not {port}")
    return port
