"""Layers of steps that were done, by what led to them, so that nothing is done twice.

Facts: templates.build.cache, templates.build.cache.stubs, templates.build.cache.held
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fake_e2b.domain.build import Context
from fake_e2b.domain.ports import LayerID

MOST_KEPT = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """What stands after a step: its files (None: the machine's own) and the context.

    Attributes:
        watched: The programs whose calls were noticed while it was done.
        called: Those of them that were called, of which no stub answered.
    """

    layer_id: LayerID | None
    context: Context
    watched: frozenset[str] = frozenset()
    called: frozenset[str] = frozenset()

    def would_ask(self, stubbed: frozenset[str]) -> bool:
        """Whether, done again, the step might ask the stubs of these programs."""
        return not stubbed <= self.watched or bool(stubbed & self.called)


class LayerCache:
    """The newest layers of all teams; each is held by the cache itself.

    Args:
        release: Lets a layer go.
    """

    def __init__(self, release: Callable[[LayerID], Awaitable[None]]) -> None:
        self._release = release
        self._kept: OrderedDict[tuple[str, str], Kept] = OrderedDict()

    def find(self, team_id: str, key: str, stubbed: frozenset[str]) -> Kept | None:
        """What a step of that key has left; hold its layer before anything else happens.

        Args:
            stubbed: The programs for which a test has stubs now, which must not be passed by.
        """
        kept = self._kept.get((team_id, key))
        if kept is None or kept.would_ask(stubbed):
            return None
        self._kept.move_to_end((team_id, key))
        return kept

    async def keep(self, team_id: str, key: str, kept: Kept) -> None:
        """Keep what a step has left; the layer's holder is the cache from now on."""
        before = self._kept.pop((team_id, key), None)
        self._kept[team_id, key] = kept
        gone = [] if before is None else [before]
        while len(self._kept) > MOST_KEPT:
            gone.append(self._kept.popitem(last=False)[1])
        for each in gone:
            if each.layer_id is not None:
                await self._release(each.layer_id)

    async def clear(self) -> None:
        """Forget all."""
        gone = list(self._kept.values())
        self._kept.clear()
        for each in gone:
            if each.layer_id is not None:
                await self._release(each.layer_id)
