"""Markers, options and the ini file; faults, gates and predicates at the end of a test."""

from __future__ import annotations

import e2b_code_interpreter  # noqa: F401  # else each run in this process imports it anew
import pytest

pytest_plugins = ["pytester"]

# Inner runs in this process would inherit that warnings are errors.
INI = """
[pytest]
asyncio_default_fixture_loop_scope = function
addopts = -p no:cacheprovider
filterwarnings = default
"""


@pytest.fixture
def inner(pytester):
    pytester.makeini(INI)
    return pytester


def test_strict_faults_fail_a_test_whose_rule_never_acted(inner):
    inner.makepyfile(
        """
        import pytest
        from e2b import Sandbox, RateLimitException
        from fake_e2b import effects

        strict = pytest.mark.fake_e2b(strict_faults=True)

        @strict
        def test_idle(e2b_faults):
            e2b_faults.add("createSandbox", effects.Status(500), name="never came")

        @strict
        def test_taken_back(e2b_faults):
            with e2b_faults.add("killSandbox", effects.Status(500), name="was gone"):
                pass

        @strict
        def test_used(e2b_faults):
            with e2b_faults.add("createSandbox", effects.Status(429)):
                with pytest.raises(RateLimitException):
                    Sandbox.create()

        @strict
        def test_profile(e2b_faults):
            e2b_faults.profile("flaky-network")

        @strict
        def test_failing_anyway(e2b_faults):
            e2b_faults.add("createSandbox", effects.Status(500), name="not named")
            raise AssertionError("of its own")

        def test_lenient(e2b_faults):
            e2b_faults.add("createSandbox", effects.Status(500))
        """
    )
    run = inner.runpytest_inprocess("--fake-e2b-runtime=local")
    run.assert_outcomes(passed=3, failed=3)
    run.stdout.fnmatch_lines(
        [
            "the test added fault rules that never acted: 'never came' (strict_faults)",
            "the test added fault rules that never acted: 'was gone' (strict_faults)",
            "E*AssertionError: of its own",
            "fault 'not named': acted never, fitted never",
        ]
    )
    assert "never acted: 'not named'" not in run.stdout.str()
    run = inner.runpytest_inprocess("--fake-e2b-strict-faults", "-k", "lenient")
    run.assert_outcomes(failed=1)
    inner.makeini(INI + "fake_e2b_strict_faults = true\n")
    inner.runpytest_inprocess("-k", "lenient").assert_outcomes(failed=1)


def test_a_gate_that_stays_shut_is_opened_at_the_end_and_reported(inner):
    inner.makepyfile(
        """
        import threading
        import pytest
        from e2b import Sandbox

        @pytest.fixture
        def pool():
            threads = []
            yield threads
            for thread in threads:  # would wait for ever at the gate
                thread.join()

        @pytest.mark.fake_e2b(leaks="warn,gate=error")
        def test_held(pool, e2b_sandbox, e2b_gates):
            gate = e2b_gates.hold("killSandbox", name="shut")
            pool.append(threading.Thread(target=e2b_sandbox.kill))
            pool[0].start()
            gate.wait_arrived()

        @pytest.mark.fake_e2b(leaks="error")
        def test_released(e2b_gates):
            with e2b_gates.hold("killSandbox"):
                pass
            e2b_gates.hold("killSandbox").release()
        """
    )
    run = inner.runpytest_inprocess("--fake-e2b-runtime=local")
    run.assert_outcomes(passed=2, errors=1)
    run.stdout.fnmatch_lines(
        ["the test never released the gate 'shut': a request waits at it", "*released now*"]
    )


def test_a_predicate_that_raises_shows_its_traceback(inner):
    inner.makepyfile(
        """
        import pytest
        from e2b import Sandbox, SandboxException
        from fake_e2b import effects

        def predicate(asked):
            return asked.headers["no-such"] == "header"

        @pytest.mark.fake_e2b(misuse="error")
        def test_swallowed(e2b_faults):
            e2b_faults.add("createSandbox", effects.Status(400), where=predicate)
            try:
                Sandbox.create()
            except SandboxException:
                pass

        @pytest.mark.fake_e2b(misuse="error")
        def test_handler(e2b_commands, e2b_sandbox):
            def handler(call):
                raise ValueError("in the handler")

            e2b_commands.stub("npm install", handler=handler)
            e2b_sandbox.commands.run("npm install || true")

        def test_failing(e2b_faults):
            e2b_faults.add("createSandbox", effects.Status(400), where=predicate)
            try:
                Sandbox.create()
            except SandboxException:
                for _ in range(30):
                    assert not Sandbox.list().next_items()
            raise AssertionError("of its own")
        """
    )
    run = inner.runpytest_inprocess("--fake-e2b-runtime=local", "--fake-e2b-misuse=ignore")
    run.assert_outcomes(passed=2, failed=1, errors=2)
    run.stdout.fnmatch_lines(
        [
            "createSandbox failed in the fake, or in what the test gave it: KeyError: 'no-such'",
            '*return asked.headers*== "header"',
            "stubCalled 'npm install' failed in *ValueError: in the handler",
            '*raise ValueError("in the handler")',
        ]
    )
    failing = run.stdout.str().partition("_ test_failing _")[2]
    assert "in predicate" in failing.partition("last requests")[2]


def test_the_seed_is_shown_with_a_failure_and_replays_it(inner):
    inner.makepyfile(
        """
        import pytest
        from e2b import Sandbox, RateLimitException
        from fake_e2b import effects

        def test_dice(fake_e2b):
            fake_e2b.faults.add("getHealth", effects.Status(500), times=1)
            fault = fake_e2b.faults.add("listSandboxes", effects.Status(429), probability=0.5)
            came = ""
            for _ in range(16):
                try:
                    Sandbox.list().next_items()
                    came += "."
                except RateLimitException:
                    came += "x"
            raise AssertionError(f"came {came}")

        def test_again(fake_e2b):
            test_dice(fake_e2b)
        """
    )
    first = inner.runpytest_inprocess("--fake-e2b-runtime=local")
    came = {line for line in first.outlines if line.startswith("E  ") and "came" in line}
    assert len(came) == 1, "the same rule throws alike in each test"
    (seed,) = {line.split()[1] for line in first.outlines if line.startswith("--fake-e2b-seed ")}
    again = inner.runpytest_inprocess("--fake-e2b-runtime=local", f"--fake-e2b-seed={seed}")
    assert came <= set(again.outlines)
    other = inner.runpytest_inprocess("--fake-e2b-runtime=local", f"--fake-e2b-seed={seed}1")
    assert not came <= set(other.outlines)


def test_the_marker_wins_over_the_command_line_and_that_over_the_ini_file(inner):
    inner.makeini(INI + "fake_e2b_clock = manual\nfake_e2b_seed = 1\nfake_e2b_runtime = local\n")
    inner.makepyfile(
        """
        import pytest

        def test_run(fake_e2b, e2b_clock, e2b_journal, e2b_gates, e2b_commands):
            assert fake_e2b.seed == 2
            assert e2b_clock is fake_e2b.clock
            assert e2b_journal is fake_e2b.journal
            assert e2b_gates is fake_e2b.gates
            assert e2b_commands is fake_e2b.commands
            first = e2b_clock.now_ns()
            e2b_clock.advance(seconds=1)
            assert e2b_clock.now_ns() == first + 10**9

        @pytest.mark.fake_e2b(seed=3, profile="slow-start", leaks={"stream": "ignore"})
        def test_marked(fake_e2b, e2b_faults):
            assert fake_e2b.seed == 3
            assert [fault.name for fault in e2b_faults.list()][0].startswith("slow-start: ")

        class TestOverridden:
            @pytest.fixture
            def e2b_faults(self, e2b_faults):
                return ["mine", e2b_faults]

            def test_part(self, fake_e2b, e2b_faults):
                assert e2b_faults == ["mine", fake_e2b.faults]
        """
    )
    run = inner.runpytest_inprocess("--fake-e2b-seed=2")
    run.assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("--fake-e2b-clock=manuel", "*--fake-e2b-clock is 'manuel'; *did you mean 'manual'?*"),
        ("--fake-e2b-lekas=warn", "*no option --fake-e2b-lekas; did you mean*-leaks'*"),
        ("--fake-e2b-report=conftest.py", "*conftest.py is no folder*"),
        ("--fake-e2b-seed=x", "*--fake-e2b-seed is 'x'; use a whole number*"),
        ("--fake-e2b-leaks=warning", "*use one of error, warn, ignore*did you mean 'warn'?*"),
        ("--fake-e2b-leaks=warn,streams=error", "*'streams'; did you mean 'stream'?*"),
        ("--fake-e2b-leaks=gap=ignore,warn", "*use one of error, warn, ignore, with single*"),
        ("--fake-e2b-misuse=gap=often", "*use one of error, warn, ignore, with single kinds*"),
        ("fake_e2b_lekas = warn", "*no 'fake_e2b_lekas' for the ini file; did you mean*_leaks'*"),
        ("fake_e2b_seed = 1.5", "*fake_e2b_seed*"),
    ],
)
def test_what_is_wrong_is_refused_before_the_first_test(inner, given, said):
    inner.makepyfile("def test_never(): raise AssertionError", conftest="")
    arguments = [given]
    if not given.startswith("--"):
        inner.makeini(INI + given + "\n")
        arguments = []
    run = inner.runpytest_inprocess(*arguments)
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines([said])


def test_what_is_wrong_in_a_marker_names_the_nearest(inner):
    inner.makepyfile(
        """
        import pytest

        @pytest.mark.fake_e2b(strict_fault=True)
        def test_name(fake_e2b): pass

        @pytest.mark.fake_e2b(clock="frozen")
        def test_value(fake_e2b): pass

        @pytest.mark.fake_e2b(strict_faults="yes")
        def test_kind(fake_e2b): pass

        @pytest.mark.fake_e2b(misuse={"gaps": "ignore"})
        def test_mapping(fake_e2b): pass

        @pytest.mark.fake_e2b(leaks=1)
        def test_number(fake_e2b): pass

        @pytest.mark.fake_e2b(profile="hobby")
        def test_profile(fake_e2b): pass
        """
    )
    run = inner.runpytest_inprocess()
    run.assert_outcomes(errors=6)
    run.stdout.fnmatch_lines(
        [
            "*does not know 'strict_fault'; did you mean 'strict_faults'?; it takes*",
            "*clock is 'frozen'; use one of real, manual*",
            "*strict_faults is 'yes'; use true or false*",
            "*misuse is *there is no kind 'gaps'; did you mean 'gap'?*",
            "*leaks is 1; use one of error, warn, ignore, with single kinds*",
            "*no profile 'hobby'*",
        ]
    )
