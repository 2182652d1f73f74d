from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fake_e2b.testing import FakeE2B


@pytest.fixture(autouse=True)
def _environment(fake_e2b: FakeE2B, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guide's code names no server: it finds the fake by the variables alone."""
    for name, value in fake_e2b.env().items():
        monkeypatch.setenv(name, value)
