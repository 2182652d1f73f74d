"""`--fake-e2b-report`: one page for each failed test."""

from __future__ import annotations

import html
from html.parser import HTMLParser
from pathlib import Path

import e2b_code_interpreter  # noqa: F401  # else each run in this process imports it anew
import pytest

pytest_plugins = ["pytester"]

INI = """
[pytest]
asyncio_default_fixture_loop_scope = function
addopts = -p no:cacheprovider --fake-e2b-runtime=local --fake-e2b-seed=77
filterwarnings = default
"""
TESTS = """
    import pytest
    from e2b import Sandbox, SandboxException
    from fake_e2b import effects

    @pytest.mark.fake_e2b(clock="manual")
    @pytest.mark.parametrize("tag", ["<script>x</script>", "<script>x<*script>"])
    def test_failing(fake_e2b, e2b_sandbox, tag):
        print("printed", tag)
        command = "echo '<script>y</script>'; printf '\\\\033[31mred\\\\n'; echo err >&2; exit 3"
        try:
            e2b_sandbox.commands.run(command)
        except SandboxException:
            pass
        fake_e2b.faults.add("createSandbox", effects.Status(429), name="busy & <late>")
        fake_e2b.clock.advance(seconds=90)
        try:
            Sandbox.create(metadata={"tag": tag})
        except SandboxException:
            pass
        with fake_e2b.gates.hold("pauseSandbox", name="a gate"):
            assert tag == "another"

    @pytest.fixture
    def broken(e2b_sandbox):
        raise ValueError("in the fixture")

    def test_never(broken):
        pass

    @pytest.mark.fake_e2b(leaks="error")
    def test_leaking(fake_e2b):
        Sandbox.create(metadata={"left": "<behind>"})

    @pytest.mark.fake_e2b(leaks="error")
    def test_both(fake_e2b):
        Sandbox.create()
        raise AssertionError("of its own")

    def test_passing(e2b_sandbox):
        pass

    def test_without_a_fake():
        raise AssertionError
"""


class _Page(HTMLParser):
    """Texts, tags and what they point at."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.targets: list[str | None] = []
        self.texts: list[str] = []
        self.feed(path.read_text())
        self.text = "\n".join(self.texts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.targets += [value for name, value in attrs if name in ("src", "href", "action")]
        self.targets += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_failed_test_has_a_page_that_tells_all(pytester: pytest.Pytester) -> None:
    pytester.makeini(INI)
    pytester.makepyfile(test_it=TESTS)
    run = pytester.runpytest_inprocess("--fake-e2b-report=deep/pages")
    run.assert_outcomes(passed=2, failed=4, errors=3)
    pages = {path.name: _Page(path) for path in (pytester.path / "deep" / "pages").iterdir()}
    assert len(pages) == 5, "none for those that passed or had no fake; one each for two like names"
    for page in pages.values():
        assert not page.tags & {"script", "link", "img", "iframe", "object", "form"}
        assert page.targets == []
    for name in pages:
        run.stdout.fnmatch_lines_random([f"page: {pytester.path}/deep/pages/{name}"])
    page = next(each for each in pages.values() if "x</script>]" in each.text)
    for told in (
        "test_failing[<script>x</script>]",
        "pytest 'test_it.py::test_failing[<script>x</script>]' --fake-e2b-seed 77",
        "AssertionError",
        "printed <script>x</script>",
        "<script>y</script>\n␛[31mred\n",
        "err\n",
        "exit 3",
        "+90.000 s",
        "busy & <late>",
        "rule: busy & <late>, effect: status",
        "once",
        "a gate",
        "test_it.py:17",
        "the fixture e2b_sandbox",
        "429, ",
        "curl -X POST http://127.0.0.1:",
        'Sandbox.create(metadata={"tag": "<script>x</script>"})',
        "stands still",
    ):
        assert told in page.text, told
    assert "e2b_" + "0" * 8 not in page.text
    (both,) = (each for each in pages.values() if "of its own" in each.text)
    assert "Failed in teardown" in both.text
    assert "the test left a sandbox running" in both.text
    (setup,) = (each for each in pages.values() if "in the fixture" in each.text)
    assert "Failed in setup" in setup.text
    (leaking,) = (each for each in pages.values() if "left=<behind>" in each.text)
    assert "called from test_it.py:32" in leaking.text


def test_control_characters_and_unpaired_surrogates_do_no_harm(pytester: pytest.Pytester) -> None:
    pytester.makeini(INI)
    pytester.makepyfile(
        r"""
        def test_failing(e2b_sandbox):
            e2b_sandbox.commands.run("printf 'a\\000b\\377c'")
            print("\x00 and \x1b[31m")
            raise AssertionError("\ud800 alone")
        """
    )
    pytester.runpytest_inprocess("--fake-e2b-report=pages").assert_outcomes(failed=1)
    (path,) = (pytester.path / "pages").iterdir()
    text = html.unescape(path.read_bytes().decode())
    assert "a␀b�c" in text
    assert not set(text) & {"\x00", "\x1b"}
