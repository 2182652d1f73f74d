"""Points this process's E2B clients at a running fake, for a block."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from fake_e2b.server.resolver import LocalhostNames
from fake_e2b.testing.environment import Environment
from fake_e2b.testing.fake import FakeE2B
from fake_e2b.testing.kept_transports import forget_transports


@contextlib.contextmanager
def activated(fake: FakeE2B) -> Iterator[None]:
    """Set the variables of `FakeE2B.env` and resolve ``*.localhost`` names for the block.

    What `FakeE2B` does for its own block, for one that was started with
    ``set_environment=False`` and outlives many blocks.
    """
    environment = Environment(fake.env())
    names = LocalhostNames(fake.names_below)
    environment.set()
    if fake.ca_file is not None:
        forget_transports()
    names.install()
    try:
        yield
    finally:
        names.uninstall()
        environment.restore()
