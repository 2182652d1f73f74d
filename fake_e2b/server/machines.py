"""Puts envd, and where the template has one the code interpreter, on a fresh guest."""

from __future__ import annotations

from fake_e2b.backend.machine import Machine
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.ports import Guest
from fake_e2b.domain.sandbox import Sandbox


class Machines:
    """Boots machines; `boot` is the backend's `MachineFactory`."""

    def __init__(self, clock: Clock, ids: IdSource) -> None:
        self._clock = clock
        self._ids = ids

    async def boot(self, sandbox: Sandbox, guest: Guest) -> Machine:
        """A machine whose daemon has just started."""
        envd = _NoEnvd(
            guest,
            self._clock,
            self._ids,
            sandbox_id=sandbox.sandbox_id,
            template_id=sandbox.template_id,
            access_token=sandbox.envd_access_token,
            env_vars=sandbox.env_vars,
        )
        return Machine(guest, envd)

    async def close(self) -> None:
        """End what was kept ready for machines to come."""


class _NoEnvd:
    """Stands in until the daemon is complete."""

    def __init__(self, *args: object, **named: object) -> None: ...

    async def close(self) -> None:
        """Nothing to end."""
