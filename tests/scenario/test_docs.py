"""What docs/scenarios.md shows can be played."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fake_e2b.cli.main import main
from fake_e2b.scenario.drivers.choice import Drivers
from fake_e2b.scenario.loader import parse
from tests.scenario.stories import played_story

DOCS = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text()
STORIES = re.findall(r"```toml\n(.*?)```", DOCS, re.DOTALL)
NAMED = sorted(set(re.findall(r"fake-e2b scenario run (\w+)(?!\.toml)\b", DOCS)) - {"mine"})


@pytest.mark.parametrize("text", STORIES, ids=lambda text: text.splitlines()[0])
def test_its_stories_play(text: str, every_sdk: Drivers) -> None:
    story = parse(text, name="shown", shown_as="docs/scenarios.md")
    assert played_story(story, every_sdk).problem is None


def test_what_it_runs_comes_along(capsys: pytest.CaptureFixture[str]) -> None:
    assert NAMED
    assert main(["scenario", "check", *NAMED]) == 0
