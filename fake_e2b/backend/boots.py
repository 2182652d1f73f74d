"""The machines of sandboxes: put on the runtime's guests, brought back, and ended.

Which sandbox has one when is decided in `fake_e2b.backend.lifecycle`.
"""

from __future__ import annotations

from fake_e2b.backend.fates import Fates
from fake_e2b.backend.machine import Machine, MachineFactory
from fake_e2b.backend.store import Record
from fake_e2b.domain.ports import Guest, LayerID, Runtime
from fake_e2b.domain.sandbox import Sandbox


class Boots:
    """Boots and ends machines.

    Args:
        runtime: Makes guests.
        machines: Puts envd and the interpreter on a guest.
        fates: What befalls sandboxes on the way.
    """

    def __init__(self, runtime: Runtime, machines: MachineFactory, fates: Fates) -> None:
        self._runtime = runtime
        self._machines = machines
        self._fates = fates

    async def guest(self, sandbox: Sandbox, base: LayerID | None) -> Guest:
        """A guest for a sandbox that has none.

        Args:
            base: The files it starts with; None for fresh ones.
        """
        return await self._runtime.create(
            sandbox.sandbox_id, base=base, limits=sandbox.limits, mounts=sandbox.mounts
        )

    async def first(self, sandbox: Sandbox, guest: Guest) -> Machine:
        """The first machine of a sandbox; the guest stays, whatever becomes of it."""
        return await self._machines(sandbox, guest, fresh=True)

    async def again(self, record: Record, *, cold: bool) -> Machine:
        """The machine of a paused sandbox, as it was or a new one on its files.

        Args:
            cold: Boot from the files even if memory was kept.
        """
        files = self._fates.files_instead(record)
        if files is not None:
            return await self._start_over(record, files)
        if record.machine is None or cold:
            return await self._boot(record)
        await record.machine.resume()
        return record.machine

    async def _boot(self, record: Record) -> Machine:
        sandbox = record.sandbox
        if record.machine is not None:
            machine, record.machine = record.machine, None
            sandbox.paused_memory = False
            await machine.close()
            await machine.guest.stop()
        # They lived in the guest's memory only.
        sandbox.env_vars = {}
        guest = await self._runtime.boot(sandbox.sandbox_id)
        return await self._put_on(sandbox, guest)

    async def _put_on(self, sandbox: Sandbox, guest: Guest) -> Machine:
        """A machine on a guest; one that cannot be had leaves no guest running."""
        try:
            return await self._machines(sandbox, guest, fresh=False)
        except BaseException:
            await guest.stop()
            raise

    async def _start_over(self, record: Record, files: LayerID) -> Machine:
        """A machine on other files than those that the sandbox had."""
        sandbox, machine = record.sandbox, record.machine
        record.machine, sandbox.paused_memory = None, False
        await self.destroy(record, machine)
        guest = await self.guest(sandbox, files)
        return await self._put_on(sandbox, guest)

    async def destroy(self, record: Record, machine: Machine | None) -> None:
        """End a machine with its files, or remove the files of a sandbox that has none."""
        if machine is None:
            await self._runtime.discard(record.sandbox.sandbox_id)
            return
        try:
            await machine.close()
        finally:
            await machine.guest.kill()
