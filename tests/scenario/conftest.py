"""The drivers that the stories share: node takes a second to start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_e2b.scenario.drivers.choice import Drivers
from tests.sdk.test_javascript import FOLDER, why_not


@pytest.fixture(scope="module")
def python() -> Iterator[Drivers]:
    with Drivers("python", Path()) as drivers:
        yield drivers


@pytest.fixture(scope="module")
def python_async() -> Iterator[Drivers]:
    with Drivers("python-async", Path()) as drivers:
        yield drivers


@pytest.fixture(scope="module")
def javascript() -> Iterator[Drivers]:
    if why_not():
        pytest.skip(why_not())
    with Drivers("js", FOLDER) as drivers:
        drivers.make({}).close()  # now, for a program of one test would count as left behind
        yield drivers


@pytest.fixture(
    scope="module",
    params=["python", "python_async", pytest.param("javascript", marks=pytest.mark.javascript)],
)
def every_sdk(request: pytest.FixtureRequest) -> Drivers:
    drivers: Drivers = request.getfixturevalue(request.param)
    return drivers
