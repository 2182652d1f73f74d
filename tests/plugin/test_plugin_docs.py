"""The tables of docs/pytest.md are the plugin's."""

from __future__ import annotations

from pathlib import Path

from conftest_plugin.policies import LEAKS, MISUSES
from conftest_plugin.settings import OPTIONS
from fake_e2b.domain import finding

DOCS = (Path(__file__).parents[2] / "docs" / "pytest.md").read_text()


def test_every_option_is_there() -> None:
    for option in OPTIONS.values():
        assert f"`{option.on_command_line}" in DOCS, option.name
        assert f"`{option.key}`" in DOCS, option.name


def test_every_kind_is_there() -> None:
    assert set(LEAKS) == {kind.value for kind in finding.LEAKS}
    assert {*LEAKS, *MISUSES} == {kind.value for kind in finding.FindingKind}
    for kind in (*LEAKS, *MISUSES):
        assert f"| `{kind}` |" in DOCS, kind
