from __future__ import annotations

import e2b_code_interpreter  # noqa: F401  # else each run in this process imports it anew
import pytest

pytest_plugins = ["pytester"]

# Inner runs in this process would inherit that warnings are errors.
INI = """
[pytest]
asyncio_default_fixture_loop_scope = function
addopts = -p no:cacheprovider --fake-e2b-runtime=local
filterwarnings = default
"""
LEAKING = """
from e2b import Sandbox

def test_leaking(fake_e2b):
    Sandbox.create()

def test_after(fake_e2b):
    assert Sandbox.list().next_items() == []
"""


@pytest.fixture
def inner(pytester):
    pytester.makeini(INI)
    return pytester


def test_a_failed_test_shows_its_own_last_requests(inner):
    inner.makepyfile(
        """
        from e2b import Sandbox

        def test_passing(e2b_sandbox):
            e2b_sandbox.commands.run("echo passing")

        def test_failing(e2b_sandbox):
            e2b_sandbox.commands.run("echo failing")
            Sandbox.connect("inobody0000000000000")
        """
    )
    run = inner.runpytest_inprocess()
    run.assert_outcomes(passed=1, failed=1)
    run.stdout.fnmatch_lines(
        [
            "*fake-e2b: last requests*",
            "+*s createSandbox POST /v2/sandboxes → 201, * ms*",
            "+*s Process.Start POST /process.Process/Start → 200, * ms [[]*]",
            "*sent: *echo failing*",
            "+*s connectSandbox POST *inobody0000000000000/connect → 404, * ms [[]inobody*]",
            '*answer: {"code":404,*',
        ]
    )
    assert "echo passing" not in run.stdout.str().partition("last requests")[2]


def test_a_failure_in_a_fixture_shows_them_too(inner):
    inner.makepyfile(
        """
        import pytest

        @pytest.fixture
        def broken(e2b_sandbox):
            e2b_sandbox.commands.run("exit 3")

        def test_never(broken):
            pass
        """
    )
    run = inner.runpytest_inprocess()
    run.assert_outcomes(errors=1)
    run.stdout.fnmatch_lines(["*fake-e2b: last requests*", "*Process.Start*"])


def test_keys_and_secrets_stay_out_of_the_report(inner):
    inner.makepyfile(
        """
        from e2b import Sandbox

        def test_failing(fake_e2b):
            sandbox = Sandbox.create(envs={"OPENAI_API_KEY": "sk-0123456789abcdef"})
            sandbox.kill()
            with open("key", "w") as file:
                file.write(fake_e2b.api_key)
            raise AssertionError
        """
    )
    run = inner.runpytest_inprocess()
    run.assert_outcomes(failed=1)
    section = run.stdout.str().partition("last requests")[2]
    assert "OPENAI_API_KEY" in section
    assert "0123456789abcdef" not in section
    assert (inner.path / "key").read_text() not in section


def test_what_the_fake_did_by_itself_is_shown_among_the_requests(inner):
    inner.makepyfile(
        """
        def test_failing(fake_e2b):
            fake_e2b.journal.note("expired", sandbox_id="i0a", detail="killed at its end")
            record = fake_e2b._fake().journal.open("POST", "/execute", (), "")
            record.traceback = "Traceback:\\n  somewhere"
            raise AssertionError
        """
    )
    run = inner.runpytest_inprocess()
    run.stdout.fnmatch_lines(
        [
            "+0.0* s expired [[]i0a]",
            "    killed at its end",
            "+0.0* s unknown POST /execute → no answer yet, still open",
            "    Traceback:",
            "      somewhere",
        ]
    )


def test_a_long_test_shows_the_last_twenty(inner):
    inner.makepyfile(
        """
        def test_failing(e2b_sandbox):
            for _ in range(25):
                e2b_sandbox.is_running()
            raise AssertionError
        """
    )
    run = inner.runpytest_inprocess()
    run.stdout.fnmatch_lines(["(6 earlier ones left out)"])
    assert run.stdout.str().count("envd.health GET /health") == 20


def test_a_failed_test_without_requests_says_so(inner):
    inner.makepyfile("def test_failing(fake_e2b): raise AssertionError")
    run = inner.runpytest_inprocess()
    run.stdout.fnmatch_lines(["(none: no request of this test reached the fake)"])


def test_a_sandbox_left_running_is_a_warning_and_gone_for_the_next_test(inner):
    inner.makepyfile(test_it=LEAKING)
    run = inner.runpytest_inprocess()
    run.assert_outcomes(passed=2, warnings=1)
    run.stdout.fnmatch_lines(
        [
            "test_it.py::test_leaking",
            "*FakeE2BLeakWarning: the test left a sandbox running: i*",
        ]
    )


@pytest.mark.parametrize("how", ["option", "ini", "marker"])
def test_a_sandbox_left_running_is_an_error_when_asked_for(inner, how):
    text = LEAKING
    if how == "ini":
        inner.makeini(INI + "fake_e2b_leaks = error\n")
    if how == "marker":
        text = text.replace(
            "def test_leaking",
            "import pytest\n@pytest.mark.fake_e2b(leaks='error')\ndef test_leaking",
        )
    inner.makepyfile(test_it=text)
    run = inner.runpytest_inprocess(*(["--fake-e2b-leaks=error"] if how == "option" else []))
    run.assert_outcomes(passed=2, errors=1)
    run.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_leaking*",
            "the test left a sandbox running: i*",
            "*fake-e2b: last requests*",
            "+*createSandbox*",
        ]
    )


def test_a_sandbox_left_running_can_be_allowed(inner):
    inner.makepyfile(test_it=LEAKING)
    inner.runpytest_inprocess("--fake-e2b-leaks=ignore").assert_outcomes(passed=2, warnings=0)
    inner.makeini(INI + "fake_e2b_leaks = ignore\n")
    run = inner.runpytest_inprocess("--fake-e2b-leaks=warn")
    run.assert_outcomes(passed=2, warnings=1)


def test_sandboxes_that_were_killed_or_paused_are_no_leak(inner):
    inner.makepyfile(
        """
        from e2b import Sandbox

        def test_tidy(e2b_sandbox):
            with Sandbox.create():
                pass
            Sandbox.create().kill()
            Sandbox.create().pause()
            e2b_sandbox.kill()
        """
    )
    inner.runpytest_inprocess("--fake-e2b-leaks=error").assert_outcomes(passed=1)
