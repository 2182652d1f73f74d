"""How guests stand on captured layers: what is copied, what is shared, what a capture holds.

A layer's folder is like a guest's: `root` with what lies in the root itself, `upper/<name>` with
what was changed of the host's `/<name>`. A guest shares the folders of its layers copy-on-write.
Only a small root is copied for each guest: a folder of an overlay that comes from below cannot be
renamed (the kernel says EXDEV), and most sandboxes hold little, so most guests have a plain root.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from fake_e2b.domain.ports import LayerID
from fake_e2b.runtime.guest.root_view import OVERLAID
from fake_e2b.runtime.layers import Layer, Layers
from fake_e2b.runtime.trees import Trees

MOST_ENTRIES = 1000
MOST_SIZE = 16 << 20
"""Up to here a root is copied for each guest: some tens of milliseconds at most."""
MOST_LAYERS = 32
"""Above each other; one more, and the capture puts all of them together."""


@dataclass(frozen=True, slots=True)
class Below:
    """What lies below a guest's own files, as paths from the folder of the layers.

    Attributes:
        root: Below its root, highest first; nothing when its root is whole.
        upper: By top-level folder: what earlier guests changed of the host's, highest first.
    """

    root: list[str] = field(default_factory=list)
    upper: dict[str, list[str]] = field(default_factory=dict)


def below(layers: Layers, base: LayerID | None, *, whole: bool) -> Below:
    """What lies below a guest.

    Args:
        whole: Whether its root needs nothing below it.
    """
    chain = layers.chain(base)
    uppers: dict[str, list[str]] = {}
    for layer_id in chain:
        for name in _changed(layers.path(layer_id)):
            uppers.setdefault(name, []).append(f"{layer_id}/upper/{name}")
    return Below([] if whole else [f"{each}/root" for each in roots(layers, base)], uppers)


def roots(layers: Layers, base: LayerID | None) -> Iterator[LayerID]:
    """The layers whose roots are seen through those above, highest first."""
    for layer_id in layers.chain(base):
        yield layer_id
        if layers[layer_id].whole:
            return


def _changed(folder: str) -> list[str]:
    return [name for name in OVERLAID if os.path.isdir(f"{folder}/upper/{name}")]


def fits_spare(layers: Layers, base: LayerID) -> bool:
    """Whether a guest that is up already can be given these files: they are few, and its own."""
    return _is_small(layers[base]) and not any(
        _changed(layers.path(each)) for each in layers.chain(base)
    )


def refit(trees: Trees, layers: Layers, base: LayerID, folder: str, *, as_others: bool) -> None:
    """Give the files of a layer to a guest that runs no program yet; blocking.

    Args:
        as_others: Its files are those that all guests at hand have: what was found in place in one
            of them is so in this one.

    Raises:
        OSError: They cannot be written.
    """
    source, known = f"{layers.path(base)}/root", layers.in_place(base) if as_others else None
    trees.lay_over(source, f"{folder}/root", keep_marks=False, exact=True, known=known)


def _is_small(layer: Layer) -> bool:
    return layer.whole and layer.entries <= MOST_ENTRIES and layer.size <= MOST_SIZE


def furnish(trees: Trees, layers: Layers, base: LayerID, folder: str) -> bool:
    """Make the folder of a guest that starts on a layer; blocking.

    Returns:
        Whether its root needs nothing below it.

    Raises:
        OSError: It cannot be written.
    """
    source = f"{layers.path(base)}/root"
    is_small = _is_small(layers[base])
    os.mkdir(folder, 0o755)
    if is_small:
        trees.copy(source, f"{folder}/root")
    else:
        # The top folder of an overlay is the guest's own: it has to look like the one below.
        os.mkdir(f"{folder}/root")
        trees.look_like(source, f"{folder}/root")
    for name in ("upper", "work"):
        os.mkdir(f"{folder}/{name}", 0o755)
    return is_small


def write_capture(
    trees: Trees,
    layers: Layers,
    layer_id: LayerID,
    folder: str,
    base: LayerID | None,
    *,
    whole: bool,
    shared: str,
) -> Layer:
    """Write what a guest's folder holds as a layer, without the stubs in it; blocking.

    Args:
        base: What the guest stands on.
        whole: Whether its root needs nothing below it.
        shared: The folder of what all guests see over the host's own folders.

    Raises:
        OSError: It cannot be read or written.
    """
    target = layers.path(layer_id)
    os.mkdir(target, 0o755)
    chain = layers.chain(base)
    below = [*(f"{layers.path(each)}/upper" for each in chain), shared, ""]
    if len(chain) < MOST_LAYERS:
        copied = trees.copy(f"{folder}/root", f"{target}/root")
        _copy_upper(trees, folder, target, below)
        needed = not whole or any(_changed(layers.path(each)) for each in chain)
        return Layer(base if needed else None, whole, copied.entries, copied.size)
    own = f"{target}/own"
    os.mkdir(own)
    _copy_upper(trees, folder, own, below)
    layer = _write_together(trees, layers, target, folder, chain, whole=whole)
    trees.remove(own)
    return layer


def _copy_upper(trees: Trees, source: str, target: str, below: list[str]) -> None:
    """Copy what a guest changed of the host's folders.

    Args:
        below: What holds the folders that these are changes of, highest first.
    """
    for name in _changed(source):
        if os.listdir(f"{source}/upper/{name}"):
            changed, copy = f"{source}/upper/{name}", f"{target}/upper/{name}"
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            if name == "usr":
                trees.copy_without_stubs(changed, copy, [f"{each}/usr" for each in below])
            else:
                trees.copy(changed, copy)


def _write_together(
    trees: Trees, layers: Layers, target: str, folder: str, chain: list[LayerID], *, whole: bool
) -> Layer:
    """One layer that shows what the whole stack shows."""
    if whole:
        trees.copy(f"{folder}/root", f"{target}/root")
    else:
        *others, lowest = (f"{layers.path(each)}/root" for each in roots(layers, chain[0]))
        trees.copy(lowest, f"{target}/root")
        for root in (*reversed(others), f"{folder}/root"):
            trees.lay_over(root, f"{target}/root", keep_marks=False)
    for each in (*(layers.path(one) for one in reversed(chain)), f"{target}/own"):
        for name in _changed(each):
            merged = f"{target}/upper/{name}"
            if os.path.isdir(merged):
                trees.lay_over(f"{each}/upper/{name}", merged, keep_marks=True)
            else:
                os.makedirs(os.path.dirname(merged), exist_ok=True)
                trees.copy(f"{each}/upper/{name}", merged)
    count = trees.measure(f"{target}/root")
    return Layer(whole=True, entries=count.entries, size=count.size)
