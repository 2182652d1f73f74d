"""One zygote for each file of tests, one sandbox for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from fake_e2b.runtime.interpreter.host import KernelHost
from tests.runtime.interpreter.session import Session


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def host() -> AsyncIterator[KernelHost]:
    made = KernelHost()
    if made.available is not None:
        pytest.skip(made.available)
    made.warm()
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="module")
async def session(host: KernelHost, tmp_path: Path) -> AsyncIterator[Session]:
    made = Session(host, tmp_path / "sandbox")
    yield made
    await made.interpreter.close()
