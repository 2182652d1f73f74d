"""Fakes of both runtimes, one for a whole file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fake_e2b import FakeE2B, RuntimeUnavailableError


@pytest.fixture(scope="module", params=["local", "isolated"])
def server(request: pytest.FixtureRequest) -> Iterator[FakeE2B]:
    try:
        fake = FakeE2B(runtime=request.param, seed=1).start()
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    yield fake
    fake.stop()
