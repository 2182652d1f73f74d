"""A runtime of plain objects: the backend's rules without a machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fake_e2b.backend.control import ControlBackend
from fake_e2b.backend.machine import Machine
from fake_e2b.backend.patience import Endless, Patience
from fake_e2b.backend.settings import ControlSettings
from fake_e2b.domain.clock import SECOND_NS
from fake_e2b.domain.entry import DiskUsage
from fake_e2b.domain.ids import IdSource, VolumeID
from fake_e2b.domain.limits import NO_LIMITS, Limits
from fake_e2b.domain.node import HostState, HugePages, Processor
from fake_e2b.domain.ports import LayerID, ResourceUsage
from fake_e2b.domain.records import Records
from fake_e2b.domain.sandbox import Sandbox
from fake_e2b.domain.team import Team
from fake_e2b.domain.volume import Mount
from fake_e2b.wire.signature import sign
from tests.helpers.clock import ManualClock

START_NS = 1_787_000_000 * SECOND_NS
KEY = "e2b_" + "0" * 40


class Gate:
    """Holds those who pass until it is opened; says when somebody waits."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self.reached = asyncio.Event()

    def open(self) -> None:
        self._open.set()

    async def passing(self) -> None:
        self.reached.set()
        await self._open.wait()


@dataclass
class MemoryGuest:
    """Notes what it is told; `gates` and `failures` are by the step's name."""

    runtime: MemoryRuntime
    sandbox_id: str
    base: LayerID | None = None
    limits: Limits = NO_LIMITS
    steps: list[str] = field(default_factory=list)
    alive: bool = True
    mourner: Callable[[], None] = lambda: None

    def on_death(self, listener: Callable[[], None]) -> None:
        self.mourner = listener

    def die(self) -> None:
        """As when the machine ends its first process."""
        self.alive = False
        self.mourner()

    async def _step(self, name: str) -> None:
        self.steps.append(name)
        await self.runtime.step(name)

    async def pause(self) -> None:
        await self._step("pause")

    async def resume(self) -> None:
        await self._step("resume")

    async def stop(self) -> None:
        await self._step("stop")
        self.runtime.stored.add(self.sandbox_id)

    async def kill(self) -> None:
        self.alive = False
        await self._step("kill")
        self.runtime.guests.pop(self.sandbox_id, None)

    async def usage(self) -> ResourceUsage:
        await self._step("usage")
        return ResourceUsage(2, 1.5, 512, 100, 10, DiskUsage(1000, 50))


class MemoryRuntime:
    """Guests by sandbox ID; what is stored on its disk; the layers, and all there ever were."""

    name = "memory"

    def __init__(self) -> None:
        self.guests: dict[str, MemoryGuest] = {}
        self.stored: set[str] = set()
        self.volumes: set[VolumeID] = set()
        self.layers: set[LayerID] = set()
        self.captured: list[LayerID] = []
        self.preserved: set[str] = set()
        self.gates: dict[str, Gate] = {}
        self.failures: dict[str, Exception] = {}

    def gate(self, step: str) -> Gate:
        """Hold every further `step` until the gate is opened."""
        self.gates[step] = Gate()
        return self.gates[step]

    async def step(self, name: str) -> None:
        if name in self.gates:
            await self.gates[name].passing()
        if name in self.failures:
            raise self.failures[name]

    async def preserve(self, sandbox_id: str) -> None:
        await self.step("preserve")
        self.preserved.add(sandbox_id)

    async def take_back(self, sandbox_id: str) -> None:
        await self.step("take back")
        self.preserved.discard(sandbox_id)

    async def create_volume(self, volume_id: VolumeID) -> Any:
        await self.step("create volume")
        self.volumes.add(volume_id)

    async def discard_volume(self, volume_id: VolumeID) -> None:
        await self.step("discard volume")
        self.volumes.discard(volume_id)

    async def create(
        self,
        sandbox_id: str,
        *,
        base: LayerID | None = None,
        limits: Limits = NO_LIMITS,
        mounts: Sequence[Mount] = (),
    ) -> Any:
        await self.step("create" if base is None else "create on a layer")
        assert base is None or base in self.layers
        guest = self.guests[sandbox_id] = MemoryGuest(self, sandbox_id, base=base, limits=limits)
        return guest

    async def capture(self, sandbox_id: str) -> LayerID:
        await self.step("capture")
        layer_id = LayerID(f"of {sandbox_id}, {len(self.captured)}")
        self.captured.append(layer_id)
        self.layers.add(layer_id)
        return layer_id

    async def hold(self, layer_id: LayerID) -> None:
        self.layers.add(layer_id)

    async def release(self, layer_id: LayerID) -> None:
        await self.step("release")
        self.layers.remove(layer_id)

    async def boot(self, sandbox_id: str) -> Any:
        await self.step("boot")
        self.stored.remove(sandbox_id)
        guest = self.guests[sandbox_id] = MemoryGuest(self, sandbox_id)
        return guest

    async def discard(self, sandbox_id: str) -> None:
        await self.step("discard")
        self.stored.discard(sandbox_id)
        self.guests.pop(sandbox_id, None)


class MemoryEnvd:
    closed = False

    async def close(self) -> None:
        self.closed = True


async def gather(steps: Any) -> None:
    await asyncio.gather(*steps)


class MemoryHost:
    async def look(self) -> HostState:
        return HostState(Processor(), 1, 0, 0, 0, HugePages(), ())


class World:
    """One backend on a memory runtime, a clock that stands still, and a team with a key."""

    def __init__(
        self,
        settings: ControlSettings | None = None,
        make_patience: Callable[[], Patience] = Endless,
        records: Records | None = None,
    ) -> None:
        self.clock = ManualClock(START_NS)
        self.runtime = MemoryRuntime()
        self.booted_with: list[dict[str, str]] = []
        self.backend = ControlBackend(
            clock=self.clock,
            ids=IdSource(7),
            runtime=self.runtime,  # type: ignore[arg-type]  # its guests have no files
            host=MemoryHost(),
            version="0",
            machines=self._boot,
            make_event=asyncio.Event,
            sign=sign,
            settings=settings,
            together=gather,
            make_patience=make_patience,
            records=records,
        )
        self.team: Team = self.backend.teams.add_team("acme")
        self.backend.teams.add_key(self.team, KEY)
        self.departed: list[str] = []
        self.backend.sandboxes.on_departure(self.departed.append)

    async def _boot(self, sandbox: Sandbox, guest: Any, *, fresh: bool) -> Machine:
        await self.runtime.step("machine")
        self.booted_with.append(dict(sandbox.env_vars))
        return Machine(guest, MemoryEnvd())

    def next_deadline_ns(self) -> int | None:
        due = self.backend.sandboxes.next_deadline()
        return None if due is None else due.at_ns

    async def advance(self, seconds: float) -> list[Any]:
        """Move the clock and run what is due, as the server does."""
        self.clock.move_to(self.clock.now_ns() + round(seconds * SECOND_NS))
        return await self.backend.sandboxes.run_due()
