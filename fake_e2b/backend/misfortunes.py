"""What can be done to one sandbox that nobody of its users asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import cast

from fake_e2b.backend.envd import Envd
from fake_e2b.backend.fates import Fates
from fake_e2b.backend.machine import Machine
from fake_e2b.backend.processes import Selector
from fake_e2b.backend.sandboxes import Sandboxes
from fake_e2b.domain.clock import SECOND_NS
from fake_e2b.domain.command_line import command_line, shell_command
from fake_e2b.domain.envd_errors import EnvdError
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.ids import SandboxID
from fake_e2b.domain.ports import Program
from fake_e2b.domain.sandbox import State
from fake_e2b.domain.steering.asked import Asked
from fake_e2b.domain.steering.match import compiled, fits
from fake_e2b.domain.steering.sandbox_effects import ProcessKilled, check_skew

_SIGKILL = 9


class Misfortunes:
    """Those of one fake's sandboxes; each is done once it returns.

    Operations on a sandbox that does not run raise `UsageError`.
    """

    def __init__(self, sandboxes: Sandboxes, fates: Fates) -> None:
        self._sandboxes = sandboxes
        self._fates = fates
        self._filled: defaultdict[str, set[object]] = defaultdict(set)

    def check_known(self, sandbox_id: str) -> None:
        """Refuse an ID that no sandbox has.

        Raises:
            UsageError: The text says which there are.
        """
        if self._sandboxes.record(sandbox_id) is None:
            there = [record.sandbox.sandbox_id for record in self._sandboxes.records()]
            raise UsageError(
                f"there is no sandbox {sandbox_id!r}; there is {', '.join(there) or 'none at all'}"
            )

    def _machine(self, sandbox_id: str) -> Machine:
        self.check_known(sandbox_id)
        record = self._sandboxes.record(sandbox_id)
        if record is None or record.machine is None or record.sandbox.state is not State.RUNNING:
            raise UsageError(f"the sandbox {sandbox_id!r} is not running")
        return record.machine

    async def die(self, sandbox_id: str) -> None:
        """End a sandbox, running or paused; nothing to do when there is none."""
        await self._sandboxes.die(sandbox_id)

    # -- its programs -----------------------------------------------------------------------------

    async def programs(self, sandbox_id: str) -> Sequence[Program]:
        """What runs in it.

        Raises:
            UsageError: It does not run.
        """
        try:
            return await self._machine(sandbox_id).guest.programs()
        except OSError as error:
            raise UsageError(f"the sandbox {sandbox_id!r} has ended") from error

    async def find(
        self, sandbox_id: str, effect: ProcessKilled, asked: Asked | None = None
    ) -> list[Program]:
        """The programs that `effect` is about.

        Args:
            asked: The request, where there is one.

        Raises:
            UsageError: The sandbox does not run.
        """
        running = await self.programs(sandbox_id)
        if effect.command is not None:
            pattern, text = compiled(effect.command, "command"), effect.command
            return [
                program
                for program in running
                if any(fits(pattern, text, shown) for shown in _shown(program))
            ]
        if effect.pid is not None:
            return [program for program in running if program.pid == effect.pid]
        pid = None if asked is None else self._pid_of(sandbox_id, asked)
        return [] if pid is None else [Program(pid, (), 0)]

    def _pid_of(self, sandbox_id: str, asked: Asked) -> int | None:
        """Of the process that a request starts, or names."""
        table = cast(Envd, self._machine(sandbox_id).envd).processes
        if asked.operation == "Process.Start":
            for started in reversed(table.running()):
                if command_line(started.config) == asked.command:
                    return started.pid
            return None
        named = asked.body.get("process", {}) if isinstance(asked.body, dict) else {}
        try:
            return table.find(Selector(named.get("pid"), named.get("tag"))).pid
        except EnvdError:
            return None

    async def biggest(self, sandbox_id: str) -> list[Program]:
        """The program that holds most memory, if any runs.

        Raises:
            UsageError: The sandbox does not run.
        """
        running = await self.programs(sandbox_id)
        return [max(running, key=lambda program: program.memory)] if running else []

    async def kill(
        self, sandbox_id: str, programs: Sequence[Program], signal: int = _SIGKILL
    ) -> list[Program]:
        """Send a signal to programs; those that ended meanwhile are left out.

        Raises:
            UsageError: The sandbox does not run.
        """
        guest, told = self._machine(sandbox_id).guest, []
        for program in programs:
            try:
                await guest.signal(program.pid, signal)
            except OSError:
                continue
            told.append(program)
        return told

    async def kill_process(self, sandbox_id: str, effect: ProcessKilled) -> list[Program]:
        """Send a signal to the programs that `effect` names.

        Returns:
            Those that got it.

        Raises:
            UsageError: It names none, or none fits; or the sandbox does not run.
        """
        if effect.command is None and effect.pid is None:
            raise UsageError("say whom: a command, as a pattern such as python *, or a pid")
        found = await self.find(sandbox_id, effect)
        if not found:
            running = await self.programs(sandbox_id)
            shown = ", ".join(f"{each.pid}: {' '.join(each.argv)}" for each in running)
            wanted = f"fits {effect.command!r}" if effect.pid is None else f"has pid {effect.pid}"
            raise UsageError(f"no program {wanted}; there runs {shown or 'none'}")
        return await self.kill(sandbox_id, found, effect.signal)

    async def out_of_memory(self, sandbox_id: str) -> Program:
        """Kill the program that holds most memory.

        Raises:
            UsageError: None runs, or the sandbox does not.
        """
        biggest = await self.biggest(sandbox_id)
        if not biggest:
            raise UsageError(f"no program runs in the sandbox {sandbox_id!r}")
        await self.kill(sandbox_id, biggest)
        return biggest[0]

    # -- its machine ------------------------------------------------------------------------------

    async def fill_disk(self, sandbox_id: str, holder: object) -> None:
        """Leave no room on its disk until every holder has given it back.

        Raises:
            UsageError: It does not run.
        """
        guest = self._machine(sandbox_id).guest
        self._filled[sandbox_id].add(holder)
        await guest.fill_disk(full=True)

    async def free_disk(self, sandbox_id: str, holder: object) -> None:
        """Give back what `fill_disk` took; nothing to do when the sandbox is gone."""
        holders = self._filled[sandbox_id]
        holders.discard(holder)
        if not holders:
            del self._filled[sandbox_id]
            record = self._sandboxes.record(sandbox_id)
            if record is not None and record.machine is not None and record.machine.guest.alive:
                await record.machine.guest.fill_disk(full=False)

    async def freeze(self, sandbox_id: str) -> None:
        """Let everything in it stand still, and requests into it hang.

        Raises:
            UsageError: It does not run.
        """
        machine = self._machine(sandbox_id)
        self._fates.freeze(SandboxID(sandbox_id))
        await machine.pause()

    async def thaw(self, sandbox_id: str) -> None:
        """Let it go on; nothing to do when it does not stand still."""
        if self._fates.frozen(SandboxID(sandbox_id)) is None:
            return
        record = self._sandboxes.record(sandbox_id)
        machine = None if record is None else record.machine
        if record is not None and record.sandbox.state is State.RUNNING and machine is not None:
            with suppress(OSError):
                await machine.resume()
        self._fates.thaw(SandboxID(sandbox_id))

    def skew_clock(self, sandbox_id: str, *, seconds: float) -> None:
        """Let the clock of its services lie ahead, or behind; 0 puts it right.

        Raises:
            UsageError: There is no such sandbox, or no clock shows that.
        """
        check_skew(seconds)
        self.check_known(sandbox_id)
        self._fates.skew(SandboxID(sandbox_id), round(seconds * SECOND_NS))


def _shown(program: Program) -> set[str]:
    given = shell_command(program.argv)
    return {" ".join(program.argv), *(() if given is None else (given,))}
