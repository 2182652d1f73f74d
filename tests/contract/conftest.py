from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from contracts import profiles
from contracts.target import Capability, Target, target_from
from fake_e2b.testing import FakeE2B

profiles.load(os.environ)

OF_THE_FAKE = frozenset({Capability.CHEAP, Capability.PRIVATE, Capability.CODE_INTERPRETER})


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--target", default=None, help="fake (default), real, or a server's URL")


@pytest.fixture(scope="module")
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    chosen = request.config.getoption("--target", default=None)
    choice = chosen or os.environ.get("FAKE_E2B_TARGET", "fake")
    if choice != "fake":
        yield target_from(choice, os.environ)
        return
    with FakeE2B() as fake:
        yield Target("fake", fake.api_key, fake.url, sandbox_url=fake.url, capabilities=OF_THE_FAKE)


@pytest.fixture
def cheap_target(target: Target) -> Target:
    if not target.can(Capability.CHEAP):
        pytest.skip(f"{target.name} lacks: {Capability.CHEAP.value}")
    return target
