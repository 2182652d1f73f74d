"""`--e2b-live`: the same tests on another service; here a second fake plays it."""

from __future__ import annotations

from collections.abc import Iterator

import e2b_code_interpreter  # noqa: F401  # else each run in this process imports it anew
import pytest

from fake_e2b import FakeE2B

pytest_plugins = ["pytester"]

INI = """
[pytest]
asyncio_default_fixture_loop_scope = function
addopts = -p no:cacheprovider -p no:warnings -rs
"""
TESTS = """
    import os
    import pytest
    from e2b import Sandbox

    def test_sandbox(fake_e2b, e2b_env, e2b_sandbox):
        assert e2b_sandbox.commands.run("echo hi").stdout == "hi\\n"
        assert fake_e2b.api_key == os.environ["E2B_API_KEY"] == e2b_env["E2B_API_KEY"]
        assert fake_e2b.url == os.environ["E2B_API_URL"]
        assert fake_e2b.domain == os.environ["E2B_DOMAIN"]

    @pytest.mark.asyncio
    async def test_async(e2b_async_sandbox):
        assert await e2b_async_sandbox.is_running()

    @pytest.mark.fake_e2b(leaks="ignore", clock="real", seed=7)
    def test_harmless_marker(fake_e2b):
        Sandbox.create(metadata={"left": "running"})

    @pytest.mark.fake_e2b(clock="manual")
    def test_marked(fake_e2b):
        raise AssertionError

    def test_parts(e2b_sandbox, e2b_gates):
        raise AssertionError

    def test_attributes(fake_e2b):
        fake_e2b.clock.advance(seconds=1)
        raise AssertionError
"""


@pytest.fixture
def service() -> Iterator[FakeE2B]:
    with FakeE2B(runtime="local") as playing:
        yield playing


def test_the_same_tests_run_on_the_service_of_the_environment(
    pytester: pytest.Pytester, service: FakeE2B
) -> None:
    pytester.makeini(INI)
    pytester.makepyfile(TESTS)
    run = pytester.runpytest_inprocess("--e2b-live")
    run.assert_outcomes(passed=3, skipped=3)
    run.stdout.fnmatch_lines_random(
        [
            "*needs @pytest.mark.fake_e2b(clock=…), which only the fake has (--e2b-live is given)",
            "*needs fake_e2b.gates, which only the fake has (--e2b-live is given)",
            "*needs fake_e2b.clock, which only the fake has (--e2b-live is given)",
        ]
    )
    created = service.journal.records(operation="createSandbox")
    assert len(created) == 3, "the fixtures' two and the test's own: none for what was skipped"
    assert [sandbox.metadata for sandbox in service.sandboxes()] == [{"left": "running"}]


def test_a_live_run_without_a_key_is_refused(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("E2B_API_KEY", raising=False)
    pytester.makeini(INI)
    pytester.makepyfile(TESTS)
    run = pytester.runpytest_inprocess("--e2b-live")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(["*needs a key: set E2B_API_KEY*"])
