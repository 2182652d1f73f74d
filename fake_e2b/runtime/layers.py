"""Files that stand still, on which guests start: who needs them, and when they go."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from fake_e2b.domain.ports import LayerID


@dataclass(slots=True)
class _Entry:
    parent: LayerID | None
    holders: int = 1


class Layers:
    """The layers of one runtime, counted by their holders.

    A layer is held by whoever captured it, by the guests on it and by the layers above it.

    Args:
        folder: Where they are, one folder each.
        throw_away: Removes one, in its own time.
    """

    def __init__(self, folder: str, throw_away: Callable[[str], None]) -> None:
        self._folder = folder
        self._throw_away = throw_away
        self._numbers = itertools.count()
        self._entries: dict[LayerID, _Entry] = {}

    def new_id(self) -> LayerID:
        """An ID for a layer that is about to be written."""
        return LayerID(f"layer-{next(self._numbers)}")

    def path(self, layer_id: LayerID) -> str:
        """Its folder."""
        return f"{self._folder}/{layer_id}"

    def add(self, layer_id: LayerID, *, parent: LayerID | None = None) -> None:
        """Keep a layer that was written, for one holder; it holds its parent."""
        if parent is not None:
            self.hold(parent)
        self._entries[layer_id] = _Entry(parent)

    def hold(self, layer_id: LayerID) -> None:
        """One more holder.

        Raises:
            KeyError: It is gone.
        """
        self._entries[layer_id].holders += 1

    def drop(self, layer_id: LayerID) -> None:
        """One holder less; without any it goes, and lets its parent go."""
        entry = self._entries[layer_id]
        entry.holders -= 1
        if entry.holders == 0:
            del self._entries[layer_id]
            self._throw_away(self.path(layer_id))
            if entry.parent is not None:
                self.drop(entry.parent)

    def chain(self, layer_id: LayerID) -> list[LayerID]:
        """The layer and those below it, highest first."""
        found = [layer_id]
        while (parent := self._entries[found[-1]].parent) is not None:
            found.append(parent)
        return found
