"""Layers of steps that were done, by what led to them, so that nothing is done twice.

Facts: templates.build.cache, templates.build.cache.stubs, templates.build.cache.held,
templates.build.cache.network
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import asdict, dataclass
from typing import Any

from fake_e2b.domain.build import Context
from fake_e2b.domain.downloads import NetworkMode
from fake_e2b.domain.ports import LayerID
from fake_e2b.domain.records import Records

MOST_KEPT = 200
_KIND = "cached layer"


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
        records: Where they are written down.
        network: What became of downloads in each of them; those of another server's mode are not
            had again.
    """

    def __init__(
        self,
        release: Callable[[LayerID], Awaitable[None]],
        records: Records,
        network: NetworkMode,
    ) -> None:
        self._release = release
        self._records = records
        self._network = network
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
        if self._records.last:
            value = {
                "layer_id": kept.layer_id,
                "context": asdict(kept.context),
                "network": self._network,
            }
            self._records.put(_KIND, f"{team_id} {key}", value)
        gone = [] if before is None else [before]
        while len(self._kept) > MOST_KEPT:
            oldest, its = self._kept.popitem(last=False)
            self._records.drop(_KIND, " ".join(oldest))
            gone.append(its)
        for each in gone:
            if each.layer_id is not None:
                await self._release(each.layer_id)

    def recorded(self) -> list[LayerID]:
        """The layers that an earlier server kept."""
        found = (self._read(each) for each in self._records.values(_KIND).values())
        return [each.layer_id for each in found if each is not None and each.layer_id is not None]

    def restore(self, found: Set[LayerID]) -> None:
        """Have again what an earlier server kept, as far as its layers are found."""
        for name, value in self._records.values(_KIND).items():
            team_id, key = name.split()
            kept = self._read(value)
            if kept is not None and (kept.layer_id is None or kept.layer_id in found):
                self._kept[team_id, key] = kept
            else:
                self._records.drop(_KIND, name)

    def _read(self, value: Mapping[str, Any]) -> Kept | None:
        """What a record says; None if this server would have done the step otherwise.

        That is so under another mode for downloads, and unknown where it has other fields.
        """
        try:
            if value["network"] != self._network:
                return None
            context = {**value["context"], "services": tuple(value["context"]["services"])}
            return Kept(value["layer_id"], Context(**context))
        except (KeyError, TypeError):
            return None

    async def clear(self) -> None:
        """Forget all."""
        gone = list(self._kept.values())
        self._kept.clear()
        for each in gone:
            if each.layer_id is not None:
                await self._release(each.layer_id)
