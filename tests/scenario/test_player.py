"""What a story shows, and how one that shows something else is told."""

from __future__ import annotations

import pytest

from fake_e2b.scenario.drivers.choice import Drivers
from tests.scenario.stories import played

CREATE = '[[step]]\ndo = "create"\n'


def run(command: str, more: str = "") -> str:
    return f"{CREATE}[[step]]\ndo = \"run\"\ncommand = '{command}'\n{more}"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (
            run("echo hi", 'expect = { stdout = "ho\\n" }'),
            "story.toml:7: run should show stdout = 'ho\\n', but shows 'hi\\n'",
        ),
        (
            run("echo hi", 'expect = { stdout = { contains = "o", lacks = "h" } }'),
            "should show stdout that contains 'o' and lacks 'h', but shows 'hi\\n'",
        ),
        (run("exit 3", "expect = { exit_code = { at_most = 2 } }"), "that at_most 2, but shows 3"),
        (run("true", 'raises = "TimeoutException"'), "should raise TimeoutException, but shows"),
        (
            run("true", 'cwd = "/nowhere"\nraises = "TimeoutException"'),
            "should raise TimeoutException, but raised InvalidArgumentException: cwd",
        ),
        (
            run("true", 'cwd = "/nowhere"\nraises = { python = "SandboxException", text = "ups" }'),
            "that says 'ups', but: InvalidArgumentException",
        ),
        (run("true", 'cwd = "/nowhere"'), "story.toml:7: run raised InvalidArgumentException: cwd"),
        (
            '[[step]]\ndo = "create"\ntemplate = "none"\nraises = "Exception"\n'
            + run("true")[len(CREATE) :],
            "story.toml:9: run the sandbox 'sandbox' was not made",
        ),
    ],
)
def test_what_went_wrong_is_told_with_its_line(body: str, problem: str, python: Drivers) -> None:
    performance = played(body + '\n[[step]]\ndo = "kill"\n', python)
    assert problem in (performance.problem or "nothing")
    assert performance.steps[-1].step.do == "run"


def test_conditions_hold(python: Drivers) -> None:
    expect = (
        'expect = { stdout = { contains = "h", matches = "^h.$" }, exit_code = { at_least = 0 } }'
    )
    assert played(run("echo hi", expect), python).problem is None


def test_output_that_never_comes(every_sdk: Drivers) -> None:
    performance = played(
        CREATE
        + '[[step]]\ndo = "start"\ncommand = "echo up"\n[[step]]\ndo = "output"\ntext = "down"\n',
        every_sdk,
    )
    assert "output ended without" in (performance.problem or "")
    assert "up\\n" in (performance.problem or "")


def test_a_story_that_fails_leaves_nobody_waiting(every_sdk: Drivers) -> None:
    performance = played(
        '[[step]]\ndo = "hold"\nname = "door"\nmatch = { operation = "createSandbox" }\n'
        '[[step]]\ndo = "create"\nbackground = "creating"\n'
        '[[step]]\ndo = "arrived"\ngate = "door"\n'
        '[[step]]\ndo = "expect_state"\nexpect = { running = ["sandbox"] }\n'
        '[[step]]\ndo = "wait"\nfor = "creating"\n',
        every_sdk,
    )
    assert "should show running = ['sandbox'], but shows []" in (performance.problem or "")


def test_files(every_sdk: Drivers) -> None:
    performance = played(
        CREATE
        + '[[step]]\ndo = "upload_url"\npath = "in/a.txt"\nkeep = { url = "up" }\n'
        + '[[step]]\ndo = "fetch"\nurl = "{{up}}"\nmethod = "POST"\nbody = "posted"\n'
        + 'headers = { Content-Type = "application/octet-stream" }\nexpect = { status = 200 }\n'
        + '[[step]]\ndo = "list_files"\npath = "in"\nexpect = { names = ["a.txt"] }\n'
        + '[[step]]\ndo = "read"\npath = "in/a.txt"\nexpect = { text = "posted" }\n'
        + '[[step]]\ndo = "remove"\npath = "in/a.txt"\n'
        + '[[step]]\ndo = "exists"\npath = "in/a.txt"\nexpect = { exists = false }\n'
        + '[[step]]\ndo = "read"\npath = "in/a.txt"\nraises = "FileNotFoundException"\n',
        every_sdk,
    )
    assert performance.problem is None


def test_a_template_of_its_own(every_sdk: Drivers) -> None:
    performance = played(
        '[[start.template]]\nname = "web"\nfiles = { "index.html" = "hi" }\n'
        '[[step]]\ndo = "create"\ntemplate = "web"\nenvs = { WHO = "you" }\n'
        '[[step]]\ndo = "run"\ncommand = "cat index.html; echo $WHO"\n'
        'expect = { stdout = "hiyou\\n" }\n',
        every_sdk,
    )
    assert performance.problem is None


def test_a_profile(python: Drivers) -> None:
    performance = played('[start]\nprofile = "slow-start"\n' + CREATE, python)
    assert performance.problem is None
    assert any("slow-start" in line for line in performance.journal or ())


def test_another_seed_is_another_story(python: Drivers) -> None:
    first = played(CREATE, python)
    again = played(CREATE, python)
    assert first.steps[0].shown == again.steps[0].shown
    assert first.seed == 1


def test_what_was_asked_is_compared_field_by_field(python: Drivers) -> None:
    performance = played(
        '[[step]]\ndo = "create"\nmetadata = { job = "42" }\n[[step]]\ndo = "kill"\n'
        '[[step]]\ndo = "expect_requests"\noperation = "createSandbox"\n'
        'fields = { body__metadata__job = "42", status = 201 }\nexpect = { count = 1 }\n'
        '[[step]]\ndo = "expect_requests"\noperation = "killed"\nsandbox = "sandbox"\n'
        '[[step]]\ndo = "expect_order"\n'
        'steps = [{ operation = "createSandbox" }, { operation = "killed" }]\n'
        '[[step]]\ndo = "expect_requests"\noperation = "killSandbox"\ntimes = 0\n',
        python,
    )
    assert "story.toml:22: expect_requests" in (performance.problem or "")
    assert "killSandbox" in (performance.problem or "")
