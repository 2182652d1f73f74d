"""Files that stand still, on which guests start: who needs them, and when they go."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field

from fake_e2b.domain.ports import LayerID
from fake_e2b.runtime.lasting import Lasting

_PREFIX = "layer-"
_NAME = re.compile(rf"{_PREFIX}[0-9]+")


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
    in_place: set[str] = field(default_factory=set)


class Layers:
    """The layers of one runtime, counted by their holders.

    A layer is held by whoever captured it, by the guests on it and by the layers above it.

    Args:
        folder: Where they are, one folder each.
        throw_away: Removes one, in its own time.
        lasting: What outlives the run, with `folder` as its place; None where nothing does.
    """

    def __init__(
        self, folder: str, throw_away: Callable[[str], None], lasting: Lasting | None = None
    ) -> None:
        self._folder = folder
        self._throw_away = throw_away
        self._lasting = lasting
        self._numbers = itertools.count()
        self._held: dict[LayerID, _Held] = {}

    def __getitem__(self, layer_id: LayerID) -> Layer:
        return self._held[layer_id].layer

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[LayerID]:
        return iter(self._held)

    def new_id(self) -> LayerID:
        """An ID for a layer that is about to be written."""
        return LayerID(f"{_PREFIX}{next(self._numbers)}")

    def path(self, layer_id: LayerID) -> str:
        """Its folder."""
        return f"{self._folder}/{layer_id}"

    def add(self, layer_id: LayerID, layer: Layer) -> None:
        """Keep a layer that was written, for one holder; it holds its parent."""
        if self._lasting is not None:
            self._lasting.note(layer_id, asdict(layer))
        if layer.parent is not None:
            self.hold(layer.parent)
        self._held[layer_id] = _Held(layer)

    def recover_all(self, layer_ids: Iterable[LayerID]) -> frozenset[LayerID]:
        """Hold each of these once, as far as an earlier run has left it; returns those."""
        found = [each for each in layer_ids if self.recover(each)]
        for each in found:
            self.hold(each)
        return frozenset(found)

    def recover(self, layer_id: LayerID) -> bool:
        """Know a layer that an earlier run has left, and those below it; nobody holds it yet.

        Returns:
            Whether it is all there.
        """
        if layer_id in self._held:
            return True
        about = None if self._lasting is None else self._lasting.noted(layer_id)
        if about is None:
            return False
        try:
            layer = Layer(**about)
        except TypeError:  # another release's
            return False
        if layer.parent is not None:
            if not self.recover(layer.parent):
                return False
            self.hold(layer.parent)
        self._held[layer_id] = _Held(layer, 0)
        return True

    def begin_after(self, names: Iterable[str]) -> None:
        """Give no new layer one of these names."""
        used = [int(name[len(_PREFIX) :]) for name in names if _NAME.fullmatch(name)]
        self._numbers = itertools.count(max(used, default=-1) + 1)

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
            if self._lasting is not None:
                self._lasting.forget(layer_id)
            if held.layer.parent is not None:
                self.drop(held.layer.parent)

    def in_place(self, layer_id: LayerID) -> set[str]:
        """Folders of its root that guests at hand were found to have, with all in them."""
        return self._held[layer_id].in_place

    def chain(self, layer_id: LayerID | None) -> list[LayerID]:
        """The layer and those below it, highest first."""
        found: list[LayerID] = []
        while layer_id is not None:
            found.append(layer_id)
            layer_id = self[layer_id].parent
        return found
