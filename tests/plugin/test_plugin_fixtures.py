from __future__ import annotations

import e2b_code_interpreter  # noqa: F401  # else each run in this process imports it anew
import pytest

pytest_plugins = ["pytester"]

INI = """
[pytest]
asyncio_default_fixture_loop_scope = function
addopts = -p no:cacheprovider -p no:schemathesis -p no:hypothesispytest -p no:pytest_cov
filterwarnings = error
"""


@pytest.fixture
def inner(pytester, monkeypatch):
    """A folder for a run of its own, with nothing of E2B's in the environment."""
    for name in ("E2B_API_KEY", "E2B_API_URL", "E2B_SANDBOX_URL"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeini(INI)
    return pytester


def test_a_test_gets_a_sandbox_by_asking_for_it(inner):
    inner.makepyfile(
        """
        def test_first(e2b_sandbox):
            assert e2b_sandbox.commands.run("echo hi").stdout == "hi\\n"

        def test_second(fake_e2b):
            from e2b import Sandbox
            assert Sandbox.list().next_items() == []
        """
    )
    inner.runpytest_inprocess().assert_outcomes(passed=2)


def test_each_test_finds_an_empty_fake_on_the_same_server(inner):
    inner.makepyfile(
        """
        from e2b import Sandbox

        urls = set()

        def test_first(fake_e2b):
            urls.add(fake_e2b.url)
            Sandbox.create()

        def test_second(fake_e2b):
            urls.add(fake_e2b.url)
            assert Sandbox.list().next_items() == []
            assert len(urls) == 1
        """
    )
    inner.runpytest_inprocess("--fake-e2b-leaks=ignore").assert_outcomes(passed=2)


def test_the_environment_is_as_before_outside_of_the_test(inner):
    inner.makepyfile(
        """
        import os

        def test_before():
            assert "E2B_API_KEY" not in os.environ
            os.environ["E2B_API_URL"] = "mine"

        def test_inside(fake_e2b, e2b_env):
            assert os.environ["E2B_API_KEY"] == fake_e2b.api_key == e2b_env["E2B_API_KEY"]
            assert os.environ["E2B_API_URL"] == fake_e2b.url

        def test_after():
            assert "E2B_API_KEY" not in os.environ
            assert os.environ.pop("E2B_API_URL") == "mine"
        """
    )
    inner.runpytest_inprocess().assert_outcomes(passed=3)


def test_names_of_sandboxes_lead_to_the_fake_inside_the_test_alone(inner):
    inner.makepyfile(
        """
        import socket

        before = socket.getaddrinfo

        def test_inside(fake_e2b):
            found = socket.getaddrinfo(fake_e2b.domain.partition(":")[0], 80)
            assert {address[4][0] for address in found} == {"127.0.0.1"}

        def test_after():
            assert socket.getaddrinfo is before
        """
    )
    inner.runpytest_inprocess().assert_outcomes(passed=2)


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_async_tests_get_an_async_sandbox(inner, mode):
    inner.makepyfile(
        test_asyncio="""
        import pytest

        @pytest.mark.asyncio
        async def test_sandbox(e2b_async_sandbox):
            result = await e2b_async_sandbox.commands.run("echo hi")
            assert result.stdout == "hi\\n"
        """,
        test_anyio="""
        import pytest

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.mark.anyio
        async def test_sandbox(e2b_async_sandbox):
            result = await e2b_async_sandbox.commands.run("echo hi")
            assert result.stdout == "hi\\n"
        """,
    )
    options = ("--fake-e2b-leaks=error", "--fake-e2b-runtime=local")
    run = inner.runpytest_inprocess("-o", f"asyncio_mode={mode}", *options)
    run.assert_outcomes(passed=2)


def test_anyio_alone_is_enough_and_without_it_the_need_is_said(inner):
    inner.makepyfile(
        """
        import pytest

        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", ["asyncio"])
        async def test_sandbox(anyio_backend, e2b_async_sandbox):
            assert await e2b_async_sandbox.is_running()

        def test_plain(e2b_async_sandbox):
            pass
        """
    )
    inner.makeini(INI.replace("asyncio_default_fixture_loop_scope = function", ""))
    run = inner.runpytest_subprocess("-p", "no:asyncio", "--fake-e2b-runtime=local")
    run.assert_outcomes(passed=1, errors=1)
    run.stdout.fnmatch_lines(["*needs pytest-asyncio, or anyio*"])


def test_workers_of_xdist_have_a_server_each(inner):
    inner.makepyfile(
        """
        import pathlib
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_sandbox(e2b_sandbox, fake_e2b, worker_id, number, pytestconfig):
            assert e2b_sandbox.commands.run("echo hi").stdout == "hi\\n"
            (pytestconfig.rootpath / f"{worker_id}-{number}.url").write_text(fake_e2b.url)

        def test_failing(e2b_sandbox):
            raise AssertionError
        """
    )
    options = ("-n2", "--fake-e2b-leaks=error", "--fake-e2b-report=pages")
    run = inner.runpytest_subprocess(*options, "--fake-e2b-runtime=local")
    run.assert_outcomes(passed=4, failed=1)
    (page,) = (inner.path / "pages").iterdir()
    run.stdout.fnmatch_lines([f"page: {page}"])
    urls: dict[str, set[str]] = {}
    for path in inner.path.glob("*.url"):
        urls.setdefault(path.name.partition("-")[0], set()).add(path.read_text())
    assert urls.keys() == {"gw0", "gw1"}
    assert all(len(of_worker) == 1 for of_worker in urls.values())
    assert urls["gw0"] != urls["gw1"]


def test_the_marker_gives_a_test_a_server_of_its_own_kind(inner):
    inner.makepyfile(
        """
        import pytest
        from e2b import Sandbox

        servers = {}

        def test_plain(fake_e2b):
            servers["plain"] = fake_e2b.url

        @pytest.mark.fake_e2b(clock="manual")
        def test_manual(fake_e2b):
            servers["manual"] = fake_e2b.url
            sandbox = Sandbox.create(timeout=60)
            fake_e2b.clock.advance(seconds=61)
            assert not sandbox.is_running()

        @pytest.mark.fake_e2b(clock="manual")
        class TestAgain:
            def test_same(self, fake_e2b):
                assert fake_e2b.url == servers["manual"] != servers["plain"]

        def test_plain_again(fake_e2b):
            assert fake_e2b.url == servers["plain"]
        """
    )
    inner.runpytest_inprocess("--strict-markers").assert_outcomes(passed=4)


@pytest.mark.parametrize("marker", ["clocks='manual'", "'manual'", "leaks='never'"])
def test_a_wrong_marker_is_refused_with_the_right_form(inner, marker):
    inner.makepyfile(
        f"""
        import pytest

        @pytest.mark.fake_e2b({marker})
        def test_wrong(fake_e2b):
            pass
        """
    )
    run = inner.runpytest_inprocess()
    run.assert_outcomes(errors=1)
    run.stdout.fnmatch_lines(
        ["*use one of error, warn, ignore*" if "leaks" in marker else "*it takes*clock=…*"]
    )


def test_every_link_of_the_chain_can_be_overridden(inner):
    inner.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="session")
        def fake_e2b_options(fake_e2b_options):
            return {**fake_e2b_options, "api_keys": ["e2b_" + "0" * 40]}

        @pytest.fixture
        def e2b_sandbox_options():
            return {"metadata": {"made": "here"}}
        """
    )
    inner.makepyfile(
        """
        from e2b import Sandbox

        def test_options(e2b_sandbox):
            assert e2b_sandbox.get_info().metadata == {"made": "here"}
            (listed,) = Sandbox.list(api_key="e2b_" + "0" * 40).next_items()
            assert listed.sandbox_id == e2b_sandbox.sandbox_id
        """
    )
    inner.runpytest_inprocess().assert_outcomes(passed=1)


def test_without_an_sdk_tests_that_need_one_are_skipped_with_the_reason(inner):
    inner.makeconftest(
        """
        import sys

        class Blocked:
            def find_spec(self, name, path=None, target=None):
                if name in ("e2b", "e2b_code_interpreter"):
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        sys.meta_path.insert(0, Blocked())
        """
    )
    inner.makepyfile("def test_sandbox(e2b_sandbox): pass")
    run = inner.runpytest_subprocess("-rs")
    run.assert_outcomes(skipped=1)
    run.stdout.fnmatch_lines(["*no E2B SDK is installed: pip install e2b-code-interpreter*"])


def test_a_runtime_that_does_not_exist_is_refused(inner):
    inner.makepyfile("def test_nothing(): pass")
    run = inner.runpytest_inprocess("--fake-e2b-runtime=vm")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    inner.makeini(INI + "fake_e2b_runtime = vm\n")
    run = inner.runpytest_inprocess()
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(["*'vm'; use one of auto, local, isolated*"])


def test_the_runtime_of_the_option_is_the_one_that_runs(inner):
    inner.makepyfile(
        """
        import json, urllib.request

        def test_runtime(fake_e2b):
            with urllib.request.urlopen(fake_e2b.url + "/_fake/state") as page:
                assert json.load(page)["runtime"]["name"] == "local"
        """
    )
    inner.runpytest_inprocess("--fake-e2b-runtime=local").assert_outcomes(passed=1)
    inner.makeini(INI + "fake_e2b_runtime = local\n")
    inner.runpytest_inprocess().assert_outcomes(passed=1)


def test_a_run_that_uses_no_fixture_imports_nothing_of_the_fake(inner):
    inner.makepyfile(
        """
        import sys

        def test_nothing():
            assert not [name for name in sys.modules if name.partition(".")[0] == "fake_e2b"]
        """
    )
    inner.runpytest_subprocess().assert_outcomes(passed=1)


def test_without_an_ini_file_the_plugin_is_warned_of_nothing(pytester):
    pytester.makepyfile("def test_nothing(): pass")
    run = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:schemathesis")
    run.assert_outcomes(passed=1)
    assert "conftest_plugin" not in run.stderr.str()


def test_switched_off_not_even_the_plugin_is_imported(inner):
    inner.makepyfile(
        """
        import sys

        def test_nothing():
            names = {name.partition(".")[0] for name in sys.modules}
            assert not names & {"fake_e2b", "conftest_plugin"}
        """
    )
    inner.runpytest_subprocess("-p", "no:fake_e2b").assert_outcomes(passed=1)


def test_a_test_can_have_tls_after_others_had_none(inner):
    inner.makepyfile(
        """
        import os
        import pytest
        from e2b import Sandbox

        def test_plain(fake_e2b):
            Sandbox.create().kill()
            assert os.environ["E2B_API_URL"] == fake_e2b.url

        @pytest.mark.fake_e2b(tls=True)
        def test_domain(fake_e2b, e2b_sandbox):
            assert os.environ["E2B_API_URL"] == ""
            assert e2b_sandbox.commands.run("echo hi").stdout == "hi\\n"

        def test_plain_again(fake_e2b):
            Sandbox.create().kill()
        """
    )
    inner.runpytest_inprocess("--fake-e2b-runtime=local").assert_outcomes(passed=3)
