"""One fake for a whole file, emptied before and after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fake_e2b import FakeE2B


@pytest.fixture(scope="module")
def server() -> Iterator[FakeE2B]:
    with FakeE2B(runtime="local", seed=1) as fake:
        yield fake


@pytest.fixture
def fake(server: FakeE2B) -> Iterator[FakeE2B]:
    server.reset()
    yield server
    server.reset()
