"""Every story plays, twice with one seed, and both runs read the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from fake_e2b.scenario.index import render, stories_in
from fake_e2b.scenario.player import StoryError, play
from fake_e2b.scenario.steps import Scenario
from fake_e2b.testing import FakeE2B

FOLDER = Path(__file__).parents[2] / "scenarios"
STORIES = stories_in(FOLDER)


def transcript_of(story: Scenario) -> str:
    with FakeE2B(seed=story.seed):
        return str(play(story, {}))


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_story_plays_the_same_twice(story: Scenario) -> None:
    first, second = transcript_of(story), transcript_of(story)
    assert first == second
    assert len(first.splitlines()) == len(story.steps)


def test_the_index_is_up_to_date() -> None:
    """Else: `python -m fake_e2b.scenario.index scenarios > scenarios/README.md`."""
    assert (FOLDER / "README.md").read_text() == render(STORIES)


def test_a_step_that_shows_something_else_names_its_line(tmp_path: Path) -> None:
    text = (FOLDER / "first_command.toml").read_text()
    changed = tmp_path / "changed.toml"
    changed.write_text(text.replace("hello from user", "hello from nobody"))
    [story] = stories_in(tmp_path)

    line = text[: text.index("hello from user")].rpartition("[[step]]")[0].count("\n") + 1
    with pytest.raises(StoryError, match=rf"changed\.toml:{line}: run should show stdout"):
        transcript_of(story)
