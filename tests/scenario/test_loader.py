"""What a scenario file may say, and how it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from fake_e2b.domain.errors import UsageError
from fake_e2b.scenario.loader import load, parse
from fake_e2b.scenario.story import Raises
from tests.scenario.stories import HEAD, parsed

CREATE = '[[step]]\ndo = "create"\n'


def test_steps_know_their_lines() -> None:
    story = parsed(
        '[[step]]\ndo = "create"\n\n# why\n[[step]]\ndo = "write"\npath = "a"\n'
        'text = """\n[[step]]\n"""\n[[ step ]] # spaced\ndo = "kill"\n',
    )
    assert [(step.line, step.do) for step in story.steps] == [
        (5, "create"),
        (9, "write"),
        (15, "kill"),
    ]
    assert story.steps[1].arguments["text"] == "[[step]]\n"


def test_what_is_not_named_is_the_one_of_its_kind() -> None:
    story = parsed(CREATE + '[[step]]\ndo = "start"\ncommand = "a"\n')
    assert story.steps[1].arguments == {
        "command": "a",
        "sandbox": "sandbox",
        "process": "process",
    }


def test_an_exception_is_named_as_python_does() -> None:
    story = parsed('[[step]]\ndo = "create"\nraises = "RateLimitException"\n')
    raises = story.steps[0].raises
    assert raises is not None
    assert [raises.class_for(sdk) for sdk in ("python", "python-async", "js")] == [
        "RateLimitException",
        "RateLimitException",
        "RateLimitError",
    ]
    assert Raises("A", js="B").class_for("js") == "B"


def test_the_state_that_it_begins_in() -> None:
    story = parsed(
        '[start]\nclock = "manual"\n[[start.sandbox]]\nname = "a"\ncount = 2\n'
        '[[start.template]]\nname = "web"\nfiles = { "a.txt" = "hi" }\n'
        '[[step]]\ndo = "kill"\nsandbox = "a-2"\n'
    )
    assert story.start.clock == "manual"
    assert story.sandboxes[0].names == ("a-1", "a-2")
    assert story.templates[0].name == "web"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (
            '[[step]]\ndo = "crate"\n',
            r"^story\.toml:5: there is no step 'crate'; did you mean 'create'",
        ),
        ("[[step]]\n", r"^story\.toml:5: a step says what it does"),
        (CREATE + '[[step]]\ndo = "run"\n', r":7: step 'run' needs command"),
        (CREATE + '[[step]]\ndo = "run"\ncommand = 3\n', r"wants command as a text, not 3"),
        (CREATE + '[[step]]\ndo = "kill"\nsandbx = "a"\n', r":7: .*did you mean 'sandbox'"),
        (CREATE + '[[step]]\ndo = "kill"\nexpect = 1\n', r":7: .*expect is a table"),
        (CREATE + '[[step]]\ndo = "kill"\nexpect = { kiled = true }\n', r"did you mean 'killed'"),
        (CREATE + '[[step]]\ndo = "kill"\nexpect = { killed = 1 }\n', r"is a bool.*never shows 1"),
        (
            CREATE + '[[step]]\ndo = "read"\npath = "a"\nexpect = { text = { contain = "b" } }\n',
            r"there is no condition 'contain'; did you mean 'contains'",
        ),
        (
            CREATE + '[[step]]\ndo = "read"\npath = "a"\nexpect = { text = { matches = "(" } }\n',
            r"'\(' is no regular expression",
        ),
        ('[[step]]\ndo = "create"\ntimeout = true\n', r"wants timeout as a whole number"),
        ('[[step]]\ndo = "create"\nraises = { text = "a" }\n', r"raises of step 'create' needs"),
        ('[[step]]\ndo = "create"\nkeep = { sandbox_id = "a b" }\n', r"by a name such as 'link'"),
        ('[[step]]\ndo = "create"\nkeep = { url = "a" }\n', r"no value of step 'create' 'url'"),
        ("", r"^story\.toml:1: a scenario needs step"),
        ("step = []\n", r"^story\.toml:1: a scenario has at least one"),
        ("step = [1]\n", r"write each step as a table \[\[step\]\]"),
        ("colour = 1\n" + CREATE, r"^story\.toml:1: a scenario does not know 'colour'"),
        ("[[step]\n", r"^story\.toml: not TOML: .*line 5"),
        ('[start]\nclock = "fast"\n' + CREATE, r"^story\.toml:5: \[start\]: clock must be 'real'"),
        ('[start]\nprofile = "flaky-netwrk"\n' + CREATE, r":5: .*did you mean 'flaky-network'"),
        ("[[start.sandbox]]\ncount = 2\n" + CREATE, r":5: .*needs 'name'"),
        ('[[start.template]]\nname = "a"\nfils = {}\n' + CREATE, r":5: .*no field 'fils'"),
        # Names that nobody has made.
        ('[[step]]\ndo = "kill"\n', r":5: step 'kill' needs a sandbox.*make one first: create"),
        (CREATE + '[[step]]\ndo = "see"\ntext = "a"\n', r"make one first: terminal"),
        (
            '[[step]]\ndo = "create"\nsandbox = "one"\n[[step]]\ndo = "kill"\nsandbox = "on"\n',
            r":8: .*none called 'on'; did you mean 'one'",
        ),
        (CREATE + '[[step]]\ndo = "read"\npath = "{{here}}"\n', r"no step before keeps 'here'"),
        # Steps in the background.
        ('[[step]]\ndo = "create"\nbackground = "a"\n', r"nobody waits for the step 'a' of line 5"),
        ('[[step]]\ndo = "wait"\nfor = "a"\n', r":5: no step 'a' is in the background"),
        ('[[step]]\ndo = "create"\nbackground = true\n', r"background is a name for it"),
        (
            '[[step]]\ndo = "advance"\nseconds = 1\nbackground = "a"\n',
            r"step 'advance' cannot be played in the background",
        ),
        # Rules are refused as everywhere.
        (
            '[[step]]\ndo = "fault"\nmatch = { operation = "createSandbx" }\n'
            'effect = { kind = "close" }\n',
            r":5: there is no operation 'createSandbx'; did you mean 'createSandbox'",
        ),
        ('[[step]]\ndo = "fault"\neffect = { kind = "statis" }\n', r"did you mean 'status'"),
        (
            '[[step]]\ndo = "fault"\neffect = { kind = "close" }\nat = "frame=0"\n',
            r"frames are counted from 1",
        ),
        ('[[step]]\ndo = "fault"\neffect = { kind = "hold" }\n', r"held by a gate: do = \"hold\""),
        ('[[step]]\ndo = "hold"\n', r"a gate has a name"),
        (
            '[[step]]\ndo = "stub"\ncommand = "a"\nexit = 1\n',
            r":5: step 'stub' does not know 'exit'; did you mean 'exit_code'",
        ),
        ('[[step]]\ndo = "stub"\ncommand = "a"\nexit_code = 300\n', r":5: an exit code is"),
        ('[[step]]\ndo = "unstub"\nstub = "a"\n', r"needs a stub.*make one first: stub"),
        ('[[step]]\ndo = "release"\ngate = "a"\n', r"needs a gate.*make one first: hold"),
        ('[[step]]\ndo = "release"\n', r"step 'release' needs 'gate'"),
        (
            '[[step]]\ndo = "expect_requests"\noperation = "kiled"\n',
            r"there is no operation or event 'kiled'.*did you mean 'killed'",
        ),
        (
            '[[step]]\ndo = "expect_requests"\noperation = "killed"\nfields = { statis = 1 }\n',
            r":5: .*'statis'",
        ),
        ('[[step]]\ndo = "expect_order"\nsteps = [1]\n', r"a list of tables with operation"),
        (
            '[[step]]\ndo = "expect_state"\nraises = "A"\n',
            r"asks the fake, not the service: it raises nothing",
        ),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(body: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        parsed(body)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path / "none.toml")


def test_lists_can_be_written_without_headers() -> None:
    story = parse(HEAD + 'step = [{ do = "create" }]\n', name="story", shown_as="story.toml")
    assert [(step.line, step.do) for step in story.steps] == [(1, "create")]
