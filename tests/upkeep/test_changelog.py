"""The changelog is in Keep a Changelog form and its top release is this one."""

from __future__ import annotations

import re
from pathlib import Path

import fake_e2b

TEXT = (Path(__file__).parents[2] / "CHANGELOG.md").read_text()
HEADINGS = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_releases_have_a_version_and_a_date() -> None:
    for heading in HEADINGS:
        assert heading == "[Unreleased]" or re.fullmatch(
            r"\[\d+\.\d+\.\d+\] - (\d{4}-\d{2}-\d{2}|unreleased)", heading
        )


def test_the_top_version_is_the_packages() -> None:
    [newest, *_] = [heading for heading in HEADINGS if heading != "[Unreleased]"]
    assert newest.startswith(f"[{fake_e2b.__version__}]")


def test_changes_are_sorted_by_kind() -> None:
    assert set(re.findall(r"^### (.+)$", TEXT, re.MULTILINE)) <= KINDS
