"""Finding what an earlier run has left, whichever runtime it was."""

from __future__ import annotations

import os
from collections.abc import Callable

from fake_e2b.domain.ports import Recovered, Remembered
from fake_e2b.runtime.lasting import Lasting, guest_name, volume_name
from fake_e2b.runtime.layers import Layers
from fake_e2b.runtime.volumes import Volumes


def recover(
    lasting: Lasting | None,
    layers: Layers,
    volumes: Volumes,
    remembered: Remembered,
    maker: str,
    adopt: Callable[[str], bool],
) -> Recovered:
    """Find what is remembered, and remove the rest; see `Runtime.recover`.

    Args:
        lasting: Where it is; None where nothing outlives a run.
        maker: What kind of runtime asks.
        adopt: Takes over a guest's files, by the sandbox's ID; says whether they are there.

    Raises:
        RuntimeUnavailableError: The files are another kind's.
        OSError: They cannot be read.
    """
    if lasting is None:
        return Recovered()
    lasting.claim(maker)
    layers.begin_after(os.listdir(lasting.path))
    found_layers = layers.recover_all(remembered.layers)
    found_volumes = volumes.recover_all(remembered.volumes)
    sandboxes = frozenset(each for each in remembered.sandboxes if adopt(each))
    lasting.sweep({*layers, *map(volume_name, found_volumes), *map(guest_name, sandboxes)})
    return Recovered(found_layers, found_volumes, sandboxes)
