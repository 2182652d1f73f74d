"""Fills one fake, whenever it is asked to, and anew after each reset."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fake_e2b.backend.control import ControlBackend
from fake_e2b.domain.ids import SandboxID
from fake_e2b.domain.seed.forms import Seed
from fake_e2b.domain.seed.outcome import Filled, SeedConflictError, SeedFailedError
from fake_e2b.server.seeding.exporting import Exporter, Wanted
from fake_e2b.server.seeding.filling import Filling
from fake_e2b.server.seeding.furnishing import Furnisher
from fake_e2b.server.seeding.plan import Planner


class Seeding:
    """Seeds of one fake. Fact: fake.seed.reset

    Args:
        at_start: What it is filled with at its start, and after every reset.
        api_key: The key that the fake made for itself.
        access_token: The same for its access token.

    Attributes:
        standing: Sandboxes that a seed has made: nobody's to kill.
    """

    def __init__(
        self, backend: ControlBackend, at_start: Seed | None, *, api_key: str, access_token: str
    ) -> None:
        self._backend = backend
        self._at_start = at_start
        self._own = next(iter(backend.teams))
        self._exporter = Exporter(backend, self._own, without={api_key, access_token})
        self._furnisher = Furnisher()
        self._turn = asyncio.Lock()
        self._under_way: set[asyncio.Task[Filled]] = set()
        self.standing: set[SandboxID] = set()

    async def begin(self) -> None:
        """Fill the fake as at its start, before it is served or within `resetting`.

        Raises:
            SeedError, SeedConflictError, SeedFailedError: As `fill`.
        """
        if self._at_start is not None:
            await self._make(self._at_start)

    async def fill(self, seed: Seed) -> Filled:
        """Make what is not there; until the next reset.

        Raises:
            SeedError: A table is wrong.
            SeedConflictError: Something is there and differs.
            SeedFailedError: Something could not be made, or the fake was reset meanwhile.

        Whichever it is, the fake is as before.
        """
        task = asyncio.create_task(self._make_in_turn(seed))
        self._under_way.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            if task in self._under_way:
                raise  # it was not for a reset
            raise SeedFailedError("the fake was reset before all was made") from None
        finally:
            self._under_way.discard(task)

    async def _make_in_turn(self, seed: Seed) -> Filled:
        async with self._turn:
            return await self._make(seed)

    async def _make(self, seed: Seed) -> Filled:
        plan = Planner(self._backend, self._own).made(seed)
        if plan.conflicts:
            raise SeedConflictError(plan.conflicts)
        filling = Filling(self._backend, self._own, self._furnisher)
        await filling.make(plan)
        self.standing.update(filling.sandboxes)
        return Filled(tuple(filling.made), tuple(plan.there))

    async def export(self, *, secrets: bool = False, files: bool = False) -> dict[str, Any]:
        """A seed of what is in the fake, in the form of JSON.

        Args:
            secrets: With values of secrets, rather than names of variables that will have them.
            files: With what is in the sandboxes' home folders.
        """
        async with self._turn:
            return await self._exporter.document(Wanted(secrets, files))

    @asynccontextmanager
    async def resetting(self) -> AsyncIterator[None]:
        """End what is being filled, and let nothing be filled or exported within."""
        ended, self._under_way = self._under_way, set()
        for each in ended:
            each.cancel()
        async with self._turn:
            yield

    def forget(self) -> None:
        """Forget what was made; the backend has."""
        self.standing.clear()
