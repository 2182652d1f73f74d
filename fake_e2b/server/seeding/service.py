"""Fills one fake, whenever it is asked to, and anew after each reset."""

from __future__ import annotations

import asyncio
from typing import Any

from fake_e2b.backend.control import ControlBackend
from fake_e2b.domain.ids import SandboxID
from fake_e2b.domain.seed.forms import Seed
from fake_e2b.domain.seed.outcome import Filled, SeedConflictError
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
        self.standing: set[SandboxID] = set()

    async def begin(self) -> None:
        """Fill the fake as at its start.

        Raises:
            SeedError, SeedConflictError, SeedFailedError: As `fill`.
        """
        if self._at_start is not None:
            await self.fill(self._at_start)

    async def fill(self, seed: Seed) -> Filled:
        """Make what is not there; until the next reset.

        Raises:
            SeedError: A table is wrong.
            SeedConflictError: Something is there and differs.
            SeedFailedError: Something could not be made.

        Whichever it is, the fake is as before.
        """
        async with self._turn:
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

    def reset(self) -> None:
        """Forget what was made; the backend has."""
        self.standing.clear()
