"""Asking a fake what no SDK asks."""

from __future__ import annotations

from typing import Any

import httpx

from fake_e2b.testing import FakeE2B


def ask(
    fake: FakeE2B, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> Any:
    """The answer's JSON, None without a body.

    Args:
        headers: Who asks; None for whoever has the fake's first key.

    Raises:
        httpx.HTTPStatusError: It is a refusal.
    """
    answer = httpx.request(
        method,
        f"{fake.url}{path}",
        json=body,
        headers={"X-API-Key": fake.api_key} if headers is None else headers,
        timeout=60,
    )
    answer.raise_for_status()
    return answer.json() if answer.content else None
