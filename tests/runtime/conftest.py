"""Both runtimes behind one fixture."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from fake_e2b.domain.errors import RuntimeUnavailableError
from fake_e2b.domain.ports import Guest, Runtime
from fake_e2b.runtime.select import choose_runtime


@pytest.fixture(params=["local", "isolated"])
async def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Runtime]:
    try:
        made = choose_runtime(request.param, folder=str(tmp_path))
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    await made.start()
    try:
        yield made
    finally:
        await made.close()
    assert list(tmp_path.glob("fake-e2b-*/*")) == []


@pytest.fixture
async def make_guest(runtime: Runtime) -> Callable[[], Awaitable[Guest]]:
    numbers = itertools.count()

    async def make() -> Guest:
        return await runtime.create(f"i{next(numbers):020}")

    return make


@pytest.fixture
async def guest(runtime: Runtime) -> Guest:
    return await runtime.create("i" + "a" * 20)
