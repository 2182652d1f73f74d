"""A daemon on a real guest, served on a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fake_e2b.domain.errors import RuntimeUnavailableError
from fake_e2b.runtime.select import choose_runtime
from tests.helpers.clock import ManualClock
from tests.wire.daemon import Daemon, running_daemon


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_795_000_000_000_000_000)


@pytest.fixture(params=["local", "isolated"])
def runtime_name(request: pytest.FixtureRequest) -> str:
    """Files whose tests don't touch processes name one runtime instead."""
    name: str = request.param
    return name


@pytest.fixture
async def daemon(runtime_name: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Daemon]:
    """An open daemon; the guest is killed afterwards, and nothing of it is left."""
    try:
        runtime = choose_runtime(runtime_name, folder=str(tmp_path))
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    await runtime.start()
    try:
        async with running_daemon(runtime, clock) as made:
            yield made
    finally:
        await runtime.close()
    assert list(tmp_path.glob("fake-e2b-*/*")) == []
