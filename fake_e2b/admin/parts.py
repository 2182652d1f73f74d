"""What the admin pages need of a fake; the server fills it in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response

from fake_e2b.backend.journal import Journal
from fake_e2b.backend.misfortunes import Misfortunes
from fake_e2b.backend.steering import RuleTable
from fake_e2b.backend.stubs import StubInForce
from fake_e2b.domain.clock import MovableClock
from fake_e2b.domain.due import Deadline, Happening
from fake_e2b.domain.ports import Runtime
from fake_e2b.domain.sandbox import Sandbox
from fake_e2b.domain.seed.forms import Seed
from fake_e2b.domain.seed.outcome import Filled
from fake_e2b.domain.steering.asked import Asked
from fake_e2b.domain.stubs.call import StubCall
from fake_e2b.domain.stubs.rule import StubRule

Page = Callable[["AdminParts", Request], Awaitable[Response]]


class HeldGate(Protocol):
    """See `fake_e2b.server.steering.gates.Gate`."""

    arrived: list[Asked]
    is_open: bool

    @property
    def held(self) -> int: ...
    async def wait_arrived(self, count: int, timeout_s: float) -> bool: ...
    def release(self, count: int | None = None) -> int: ...


class Timekeeper(Protocol):
    """See `fake_e2b.server.timekeeper.Timekeeper`."""

    async def advance(self, by_ns: int) -> list[Happening]: ...
    async def set(self, to_ns: int) -> list[Happening]: ...
    async def freeze(self) -> None: ...
    async def follow(self) -> None: ...


class Stubs(Protocol):
    """See `fake_e2b.server.stubs.service.Stubs`."""

    async def add(self, make: Callable[[Callable[[str], str]], StubRule]) -> StubInForce: ...
    async def remove(self, name: str) -> None: ...
    async def reset(self) -> None: ...
    def find(self, name: str) -> StubInForce: ...
    def all(self) -> list[StubInForce]: ...
    def calls(self, stub: StubInForce) -> list[StubCall]: ...


class Seeding(Protocol):
    """See `fake_e2b.server.seeding.service.Seeding`."""

    async def fill(self, seed: Seed) -> Filled: ...
    async def export(self, *, secrets: bool, files: bool) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class AdminParts:
    """The handles on one fake.

    Attributes:
        seed: What every random value comes from.
        sandboxes: Those that exist, running and paused.
        env: The variables that a client needs.
        credentials: Keys and tokens of everybody, as JSON shows them.
        timekeeper: Moves the clock.
        next_deadline: What will happen next by itself; None if nothing will.
        rules: Faults and gates in force.
        gate: Where the requests wait that the rule of that name holds.
        stubs: Stubs of programs in force.
        misfortunes: What can be done to one sandbox.
        note_misfortune: Told of the sandbox and what was done to it.
        seeding: Fills the fake, and writes down what is in it.
        reset: Makes everything as after the start.
        openapi: The document of the planes that E2B's clients use.
    """

    clock: MovableClock
    journal: Journal
    runtime: Runtime
    seed: int
    sandboxes: Callable[[], Iterable[Sandbox]]
    env: Callable[[], Mapping[str, str]]
    credentials: Callable[[], Mapping[str, Any]]
    timekeeper: Timekeeper
    next_deadline: Callable[[], Deadline | None]
    rules: RuleTable
    gate: Callable[[str], HeldGate]
    stubs: Stubs
    misfortunes: Misfortunes
    note_misfortune: Callable[[str, str], object]
    seeding: Seeding
    reset: Callable[[], Awaitable[object]]
    openapi: Callable[[], dict[str, Any]]
