"""What tests of stories share: a story from a few lines, played on a fake of its own."""

from __future__ import annotations

from pathlib import Path

from fake_e2b.scenario.drivers.choice import Drivers
from fake_e2b.scenario.loader import parse
from fake_e2b.scenario.player import Performance, play
from fake_e2b.scenario.stage import own_fake
from fake_e2b.scenario.story import Scenario

FOLDER = Path(__file__).parents[2] / "scenarios"
HEAD = 'title = "t"\nabout = "a"\nseed = 1\nfacts = []\n'


def parsed(body: str) -> Scenario:
    return parse(HEAD + body, name="story", shown_as="story.toml")


def played(body: str, drivers: Drivers) -> Performance:
    return played_story(parsed(body), drivers)


def played_story(story: Scenario, drivers: Drivers) -> Performance:
    """On `local`, unless the story asks for more: what is shown is the same, and sooner there."""
    return play(story, own_fake(story, runtime="local"), drivers.make)
