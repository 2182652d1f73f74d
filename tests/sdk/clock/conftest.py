"""Fakes whose clocks tests move: one that stands still at first, one that follows real time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fake_e2b import FakeE2B
from fake_e2b.testing import activated


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, FakeE2B]]:
    with (
        FakeE2B(runtime="local", clock="manual", set_environment=False) as still,
        FakeE2B(runtime="local", set_environment=False) as following,
    ):
        yield {"still": still, "following": following}


def emptied(server: FakeE2B) -> Iterator[FakeE2B]:
    """Without any sandbox, before and after, and found by every client meanwhile."""
    server.reset()
    with activated(server):
        yield server
    server.reset()


@pytest.fixture
def still(servers: dict[str, FakeE2B]) -> Iterator[FakeE2B]:
    yield from emptied(servers["still"])


@pytest.fixture
def following(servers: dict[str, FakeE2B]) -> Iterator[FakeE2B]:
    yield from emptied(servers["following"])


@pytest.fixture(params=["still", "following"])
def fake(request: pytest.FixtureRequest, servers: dict[str, FakeE2B]) -> Iterator[FakeE2B]:
    """Each of them."""
    yield from emptied(servers[request.param])
