"""A fake for secrets and volumes, whose clock stands still until a test moves it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fake_e2b.testing import FakeE2B


@pytest.fixture(scope="module")
def server() -> Iterator[FakeE2B]:
    with FakeE2B(runtime="local", clock="manual") as fake:
        yield fake


@pytest.fixture
def fake(server: FakeE2B) -> Iterator[FakeE2B]:
    """With nothing in it, before and after."""
    server.reset()
    yield server
    server.reset()
