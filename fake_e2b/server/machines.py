"""Puts envd, and where the template has one the code interpreter, on a fresh guest."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from fake_e2b.backend.envd import Envd
from fake_e2b.backend.interpreter import Interpreter
from fake_e2b.backend.machine import Machine
from fake_e2b.backend.processes import ProcessListener
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.control_errors import ControlError
from fake_e2b.domain.ids import IdSource, SandboxID
from fake_e2b.domain.ports import Capability, Guest, Runtime
from fake_e2b.domain.sandbox import Sandbox
from fake_e2b.domain.stubs.call import Site
from fake_e2b.runtime.interpreter.host import KernelHost
from fake_e2b.server.desktop import prepare_desktop
from fake_e2b.server.start_command import Starter
from fake_e2b.server.stubs.service import Stubs


class Machines:
    """Boots machines; `boot` is the backend's `MachineFactory`.

    Args:
        on_process: Makes what hears of a sandbox's processes.
        stubs: Told of each guest that comes up, before it runs any program.
        runtime: Whose guests these are.

    Attributes:
        clock_of: The clock that a sandbox's services show, which may be wrong.
    """

    def __init__(
        self,
        clock: Clock,
        ids: IdSource,
        on_process: Callable[[Sandbox], ProcessListener],
        stubs: Stubs,
        runtime: Runtime,
    ) -> None:
        self._on_process = on_process
        self._clock = clock
        self.clock_of: Callable[[SandboxID], Clock] = lambda _: clock
        self._ids = ids
        self._stubs = stubs
        self._runtime = runtime
        self._kernels = KernelHost()
        self._starter = Starter()

    async def boot(self, sandbox: Sandbox, guest: Guest, *, fresh: bool) -> Machine:
        """A machine whose daemon has just started; with what a new one runs from the start.

        Raises:
            ControlError: TEMPLATE_NOT_READY.
            GapError: A desktop that cannot come up.
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
        site = Site.of(sandbox)
        await self._stubs.reach(site, guest)
        if fresh and sandbox.setup.desktop:
            own_display = Capability.OWN_PORTS in self._runtime.capabilities
            stubbed = self._stubs.programs(site)
            prepare_desktop(sandbox, guest, stubbed, own_display=own_display)
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
