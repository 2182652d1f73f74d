"""Runs of pytest within tests show what they show to people, wherever the tests run."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest repeats whole messages in its summary where it thinks a machine reads them."""
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
