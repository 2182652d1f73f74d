"""Fakes that follow each other on one state, behind one fixture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from fake_e2b.domain.errors import RuntimeUnavailableError
from fake_e2b.runtime.select import choose_runtime
from fake_e2b.testing import FakeE2B

Next = Callable[..., FakeE2B]


@pytest.fixture(params=["local", "isolated"])
def runtime_name(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    try:
        choose_runtime(request.param, folder=str(tmp_path))
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    return request.param


def following(folder: Path, **always: Any) -> Iterator[Next]:
    with ExitStack() as running:

        def begin(**options: Any) -> FakeE2B:
            running.close()
            return running.enter_context(FakeE2B(state=folder, **always, **options))

        yield begin


@pytest.fixture
def next_fake(tmp_path: Path, runtime_name: str) -> Iterator[Next]:
    """Stops the fake of before, and starts one on the same state; once for each runtime."""
    yield from following(tmp_path / "state", runtime=runtime_name)


@pytest.fixture
def next_records(tmp_path: Path) -> Iterator[Next]:
    """The same where the runtime makes no difference."""
    yield from following(tmp_path / "state", runtime="local")
