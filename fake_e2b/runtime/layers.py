"""Files that stand still, on which guests start: who needs them, and when they go."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fake_e2b.domain.ports import LayerID


@dataclass(frozen=True, slots=True)
class Layer:
    """What is known of one layer.

    Attributes:
        parent: What lies below it; None when nothing does.
        whole: Its root needs nothing below it.
        entries: How many files, folders and links its root holds.
        size: Bytes in the files of its root.
        owners: Who owns what, by path, where the file system does not know.
    """

    parent: LayerID | None = None
    whole: bool = True
    entries: int = 0
    size: int = 0
    owners: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Held:
    layer: Layer
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
        self._held: dict[LayerID, _Held] = {}

    def __getitem__(self, layer_id: LayerID) -> Layer:
        return self._held[layer_id].layer

    def __len__(self) -> int:
        return len(self._held)

    def new_id(self) -> LayerID:
        """An ID for a layer that is about to be written."""
        return LayerID(f"layer-{next(self._numbers)}")

    def path(self, layer_id: LayerID) -> str:
        """Its folder."""
        return f"{self._folder}/{layer_id}"

    def add(self, layer_id: LayerID, layer: Layer) -> None:
        """Keep a layer that was written, for one holder; it holds its parent."""
        if layer.parent is not None:
            self.hold(layer.parent)
        self._held[layer_id] = _Held(layer)

    def hold(self, layer_id: LayerID) -> None:
        """One more holder.

        Raises:
            KeyError: It is gone.
        """
        self._held[layer_id].holders += 1

    def drop(self, layer_id: LayerID) -> None:
        """One holder less; without any it goes, and lets its parent go."""
        held = self._held[layer_id]
        held.holders -= 1
        if held.holders == 0:
            del self._held[layer_id]
            self._throw_away(self.path(layer_id))
            if held.layer.parent is not None:
                self.drop(held.layer.parent)

    def chain(self, layer_id: LayerID | None) -> list[LayerID]:
        """The layer and those below it, highest first."""
        found: list[LayerID] = []
        while layer_id is not None:
            found.append(layer_id)
            layer_id = self[layer_id].parent
        return found
