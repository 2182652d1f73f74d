"""What a scenario file may say, and how it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from fake_e2b.domain.errors import UsageError
from fake_e2b.scenario.loader import load, parse

HEAD = 'title = "t"\nabout = "a"\nseed = 1\nfacts = []\n'


def parsed(body: str) -> object:
    return parse(HEAD + body, name="story", shown_as="story.toml")


def test_steps_know_their_lines() -> None:
    story = parse(
        HEAD
        + '[[step]]\ndo = "create"\n\n# why\n[[step]]\ndo = "write"\npath = "a"\n'
        + 'text = """\n[[step]]\n"""\n[[ step ]] # spaced\ndo = "kill"\n',
        name="story",
        shown_as="story.toml",
    )
    assert [(step.line, step.do) for step in story.steps] == [
        (5, "create"),
        (9, "write"),
        (15, "kill"),
    ]
    assert story.steps[1].arguments == {"path": "a", "text": "[[step]]\n"}


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ('[[step]]\ndo = "crate"\n', r"story\.toml:5: unknown step 'crate'; did you mean 'create'"),
        ("[[step]]\n", r"story\.toml:5: unknown step None"),
        ('[[step]]\ndo = "run"\n', r"story\.toml:5: step 'run' needs command"),
        ('[[step]]\ndo = "run"\ncommand = 3\n', r":5: step 'run' wants command as str"),
        ('[[step]]\ndo = "kill"\nnow = true\n', r":5: step 'kill' does not know 'now'"),
        (
            '[[step]]\ndo = "kill"\n[[step]]\ndo = "run"\ncommand = "a"\nexpect = { out = "" }\n',
            r":7: expect of step 'run' does not know 'out'; it takes stdout, stderr, exit_code",
        ),
        ('[[step]]\ndo = "kill"\nexpect = 1\n', r":5: expect is a table"),
        ('[[step]]\ndo = "create"\ntimeout = true\n', r":5: step 'create' wants timeout as int"),
        ("", r"story\.toml:1: a scenario needs step"),
        ("step = []\n", r"story\.toml:1: a scenario has at least one"),
        ("colour = 1\n[[step]]\n", r"story\.toml:1: a scenario does not know 'colour'"),
        ("[[step]\n", r"story\.toml: not TOML: .*line 5"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(body: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        parsed(body)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path / "none.toml")
