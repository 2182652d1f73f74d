"""Puts envd, and where the template has one the code interpreter, on a fresh guest."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from fake_e2b.backend.envd import Envd
from fake_e2b.backend.interpreter import Interpreter
from fake_e2b.backend.machine import Machine
from fake_e2b.backend.processes import ProcessListener
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.control_errors import ControlError
from fake_e2b.domain.ids import IdSource, SandboxID
from fake_e2b.domain.ports import Guest
from fake_e2b.domain.sandbox import Sandbox
from fake_e2b.domain.stubs.call import Site
from fake_e2b.runtime.interpreter.host import KernelHost
from fake_e2b.server.start_command import Starter

Reach = Callable[[Site, Guest], Awaitable[None]]


class Machines:
    """Boots machines; `boot` is the backend's `MachineFactory`.

    Args:
        on_process: Makes what hears of a sandbox's processes.
        reach: Told of each guest that comes up, before it runs any program.

    Attributes:
        clock_of: The clock that a sandbox's services show, which may be wrong.
    """

    def __init__(
        self,
        clock: Clock,
        ids: IdSource,
        on_process: Callable[[Sandbox], ProcessListener],
        reach: Reach,
    ) -> None:
        self._on_process = on_process
        self._clock = clock
        self.clock_of: Callable[[SandboxID], Clock] = lambda _: clock
        self._ids = ids
        self._reach = reach
        self._kernels = KernelHost()
        self._starter = Starter()

    async def boot(self, sandbox: Sandbox, guest: Guest, *, fresh: bool) -> Machine:
        """A machine whose daemon has just started; with what a new one runs from the start.

        Raises:
            ControlError: TEMPLATE_NOT_READY.
        """
        clock = self.clock_of(sandbox.sandbox_id)
        envd = Envd(
            guest,
            self._clock,
            self._ids,
            sandbox_id=sandbox.sandbox_id,
            template_id=sandbox.template_id,
            access_token=sandbox.envd_access_token,
            env_vars=sandbox.env_vars,
            setup=sandbox.setup,
            on_process=self._on_process(sandbox),
            shown_clock=clock,
        )
        await self._reach(Site.of(sandbox), guest)
        # After the request that boots it has its answer, and before any other is read.
        asyncio.get_running_loop().call_soon(_write_identity, envd)
        # What was broken since does not keep a sandbox from coming back.
        with contextlib.ExitStack() if fresh else contextlib.suppress(ControlError):
            await self._starter.serve(guest, sandbox.setup.services)
        if fresh and sandbox.setup.start is not None:
            await self._starter.run(envd, sandbox.setup.start)
        if not sandbox.setup.interpreter:
            return Machine(guest, envd)
        interpreter = Interpreter(guest, envd, self._kernels, clock, self._ids, asyncio.Event)
        return Machine(guest, envd, interpreter)

    async def close(self) -> None:
        """End what was kept ready for machines to come."""
        await self._kernels.close()


def _write_identity(envd: Envd) -> None:
    # A guest whose `/run` its own programs have spoilt, or whose disk is full, works all the same.
    with contextlib.suppress(OSError):
        if envd.guest.alive:
            envd.write_identity()
