"""A control plane in this process, and a client that speaks plain HTTP to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from fake_e2b.control_plane.app import control_plane_app
from tests.helpers.memory import KEY, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def anonymous(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A client without credentials."""
    transport = httpx.ASGITransport(app=control_plane_app(world.backend))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        yield client


@pytest.fixture
async def client(anonymous: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client with the team's key."""
    anonymous.headers["X-API-Key"] = KEY
    return anonymous
