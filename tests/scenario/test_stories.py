"""Every story plays with every SDK; twice with one seed, it reads the same."""

from __future__ import annotations

import pytest

from fake_e2b.scenario.drivers.choice import Drivers
from fake_e2b.scenario.index import render, stories_in
from fake_e2b.scenario.story import Scenario
from tests.scenario.stories import FOLDER, played_story

STORIES = stories_in(FOLDER)
EVERY_STORY = pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)


@EVERY_STORY
def test_a_story_plays_the_same_twice(story: Scenario, python: Drivers) -> None:
    first, second = played_story(story, python), played_story(story, python)
    assert first.problem is None
    assert len(first.steps) == len(story.steps)
    assert first.transcript == second.transcript
    assert first.journal == second.journal
    assert first.journal


@EVERY_STORY
def test_a_story_plays_asynchronously(story: Scenario, python_async: Drivers) -> None:
    assert played_story(story, python_async).problem is None


@pytest.mark.javascript
@EVERY_STORY
def test_a_story_plays_in_javascript(story: Scenario, javascript: Drivers) -> None:
    assert played_story(story, javascript).problem is None


def test_there_are_enough() -> None:
    assert len(STORIES) >= 20
    assert len({story.seed for story in STORIES}) == len(STORIES)


def test_the_index_is_up_to_date() -> None:
    """Else: `python -m fake_e2b.scenario.index scenarios > scenarios/README.md`."""
    assert (FOLDER / "README.md").read_text() == render(STORIES)
