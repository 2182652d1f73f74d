"""README's code runs, its commands and links exist, its table stands where it belongs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers.documented import run_code

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
FIRST_SCREEN = "\n".join(README.splitlines()[:45])
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
TESTS = [code for code in BLOCKS if "def test_" in code]

pytest_plugins = ["pytester"]


def test_the_first_screen_says_what_it_is_and_is_not() -> None:
    for needed in ("pip install", "not a security boundary", "not for production", "def test_"):
        assert needed in FIRST_SCREEN, needed


def test_its_tests_pass(pytester: pytest.Pytester) -> None:
    run_code(pytester, {f"block_{number}": code for number, code in enumerate(TESTS)})


def test_its_two_commands_exist_and_can_be_run() -> None:
    commands = re.findall(r"^\./(scripts/\w+)", README, re.MULTILINE)
    assert {"scripts/demo", "scripts/test"} <= set(commands)
    for command in commands:
        assert (ROOT / command).stat().st_mode & 0o111, command


def test_its_links_lead_to_files() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if "://" not in target:
            assert (ROOT / target).exists(), target


def test_the_figures_stand_between_their_marks() -> None:
    table = README.partition("<!-- figures -->")[2].partition("<!-- /figures -->")[0]
    assert "| what |" in table
    assert len(table.strip().splitlines()) > 8
