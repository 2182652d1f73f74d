"""The Python tests that stand in docs/ pass as they are, and what is named there exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers.documented import run_code
from tests.upkeep.test_facts import names_in

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
NAMED_TEST = re.compile(r"`(tests/[\w/.]+\.(?:py|mjs))::([\w:]+)`")

pytest_plugins = ["pytester"]


def code_of(path: Path) -> str:
    blocks = re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL)
    return "\n\n".join(code for code in blocks if "def test_" in code)


def test_their_tests_pass(pytester: pytest.Pytester) -> None:
    run_code(pytester, {path.stem: code for path in DOCS if (code := code_of(path))})


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.stem)
def test_their_links_lead_to_files(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_the_tests_that_they_name_exist() -> None:
    missing = [
        f"{page.name}: {path}::{test}"
        for page in DOCS
        for path, test in NAMED_TEST.findall(page.read_text())
        if test not in names_in(path)
    ]
    assert missing == []
