"""One fake of each runtime for a whole file, emptied before and after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from e2b_code_interpreter import Sandbox as CodeSandbox

from fake_e2b import FakeE2B, RuntimeUnavailableError


@pytest.fixture(scope="module", params=["local", "isolated"])
def server(request: pytest.FixtureRequest) -> Iterator[FakeE2B]:
    try:
        fake = FakeE2B(runtime=request.param, seed=1).start()
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    # What kernels start from outlives a sandbox: it is not left behind by the first test that asks.
    with CodeSandbox.create() as sandbox:
        sandbox.run_code("0")
    yield fake
    fake.stop()


@pytest.fixture
def fake(server: FakeE2B) -> Iterator[FakeE2B]:
    server.reset()
    yield server
    server.reset()


@pytest.fixture
def is_local(request: pytest.FixtureRequest, fake: FakeE2B) -> bool:
    return "local" in request.node.name
