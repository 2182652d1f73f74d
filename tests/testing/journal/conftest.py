"""One fake for each file of tests, emptied before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from e2b_code_interpreter import Sandbox

from fake_e2b import FakeE2B


@pytest.fixture(scope="module")
def server() -> Iterator[FakeE2B]:
    with FakeE2B(runtime="local") as made:
        # What a first sandbox starts is the server's, and no test's leftover.
        warming = Sandbox.create()
        warming.run_code("1")
        warming.kill()
        yield made


@pytest.fixture
def fake(server: FakeE2B) -> Iterator[FakeE2B]:
    server.reset()
    yield server
    server.reset()


@pytest.fixture
def sandbox(fake: FakeE2B) -> Sandbox:
    return Sandbox.create()
