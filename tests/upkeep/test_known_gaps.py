"""What is listed as a gap is one: a gap that closes must leave the list."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fake_e2b.testing import FakeE2B

FILE = Path(__file__).parents[2] / "contracts" / "known_gaps.toml"
GAPS: list[dict[str, Any]] = tomllib.loads(FILE.read_text())["gap"]
ASKED = [(gap["id"], request) for gap in GAPS for request in gap.get("requests", ())]


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeE2B]:
    with FakeE2B() as fake:
        yield fake


def test_every_gap_says_what_and_why() -> None:
    for gap in GAPS:
        assert gap.keys() >= {"id", "what", "why"}, gap
        assert gap.keys() <= {
            *("id", "what", "why", "requests", "routes", "operations", "methods")
        }, gap
    ids = [gap["id"] for gap in GAPS]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("gap", "request_line"), ASKED)
def test_a_gap_answers_501_and_says_so(fake: FakeE2B, gap: str, request_line: str) -> None:
    method, path = request_line.split()
    headers = {
        "X-API-Key": fake.api_key,
        "Authorization": f"Bearer {fake.access_token}",
        "X-Admin-Token": fake.admin_token,
        "Content-Type": "application/json",
    }
    body = b"{}" if method in ("POST", "PUT", "PATCH") else None
    response = httpx.request(method, fake.url + path, headers=headers, content=body)
    assert response.status_code == 501, f"{gap} may be closed: {response.text}"
    assert response.headers["X-Fake-E2B-Gap"]
    assert response.json()["code"] == 501
