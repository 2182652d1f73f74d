"""The file that docs/seeding.md shows fills a fake."""

from __future__ import annotations

import re
from pathlib import Path

from fake_e2b import FakeE2B
from tests.seeding.test_filling import named

PAGE = Path(__file__).parents[2] / "docs" / "seeding.md"


def test_it_does(tmp_path, monkeypatch):
    (shown,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    path = tmp_path / "environment.toml"
    path.write_text(shown)
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "logo.png").write_bytes(b"\x89PNG")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with FakeE2B(fill=path):
        assert named("worker").files.read("/mnt/data/logo.png", format="bytes") == b"\x89PNG"
