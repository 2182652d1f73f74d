"""Runs the tests in JavaScript of the published SDKs, new and old, on node's test runner."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from fake_e2b.testing import FakeE2B
from tests.helpers.script import run_script

FOLDER = Path(__file__).parent / "javascript"
NODE = shutil.which("node")
OLDEST_NODE = 20
FILES = sorted(path.name for path in FOLDER.glob("*.test.mjs"))
OLD = Path(__file__).parent / "generations" / "javascript"
URLS = ("E2B_API_URL", "E2B_SANDBOX_URL", "E2B_VOLUME_API_URL")


@cache
def why_not(folder: Path = FOLDER, package: str = "e2b") -> str:
    """Why the tests of a folder cannot run here; empty when they can."""
    if NODE is None:
        return "node is not installed"
    version = subprocess.run([NODE, "--version"], capture_output=True, text=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        return f"node is {version}; the JavaScript SDK needs {OLDEST_NODE} or newer"
    if not (folder / "node_modules" / package).is_dir():
        return "the JavaScript SDK is not installed (scripts/test installs it where npm is)"
    return ""


def run(folder: Path, name: str, variables: dict[str, str]) -> None:
    """Run one file of tests with these variables and what node itself needs: no luck inherited."""
    assert NODE is not None
    finished = subprocess.run(
        [NODE, "--test", "--test-reporter=spec", "--test-timeout=60000", name],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **variables},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.mark.javascript
@pytest.mark.skipif(bool(why_not()), reason=why_not())
@pytest.mark.parametrize("name", FILES)
def test_the_published_javascript_sdk(name: str) -> None:
    with FakeE2B() as fake:
        run(FOLDER, name, fake.env())


@pytest.mark.javascript
@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_the_tour_under_strict() -> None:
    with FakeE2B(profile="strict", seed=7) as fake:
        run(FOLDER, "tour.test.mjs", fake.env())


@pytest.mark.javascript
@pytest.mark.skipif(bool(why_not()), reason=why_not())
@pytest.mark.parametrize(
    "name", ["tour.test.mjs", "secured_access.test.mjs", "ports.test.mjs", "volumes.test.mjs"]
)
def test_it_by_the_domain_alone(name: str) -> None:
    with FakeE2B(tls=True, set_environment=False) as fake:
        variables = {name: value for name, value in fake.env().items() if name not in URLS}
        run(FOLDER, name, variables)


@pytest.mark.javascript
@pytest.mark.generations
@pytest.mark.skipif(bool(why_not(OLD, "e2b-1.0")), reason=why_not(OLD, "e2b-1.0"))
@pytest.mark.parametrize(
    ("sdk", "interpreter"),
    [
        ("e2b-1.0", "code-interpreter-1.0"),
        ("e2b-2.2", ""),
        # This interpreter stands on the newest SDK, which does know E2B_SANDBOX_URL.
        ("e2b-2.6", "code-interpreter-2.6"),
    ],
)
def test_old_releases_by_the_domain(sdk: str, interpreter: str) -> None:
    with FakeE2B(tls=True, set_environment=False) as fake:
        run(OLD, "old.test.mjs", {**fake.env(), "SDK": sdk, "INTERPRETER": interpreter})


@pytest.mark.javascript
@pytest.mark.generations
@pytest.mark.skipif(bool(why_not(OLD, "e2b-1.0")), reason=why_not(OLD, "e2b-1.0"))
def test_run_serves_old_releases_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert NODE is not None
    monkeypatch.chdir(OLD)
    monkeypatch.setenv("SDK", "e2b-2.6")
    ended = run_script("run", "--", NODE, "--test", "old.test.mjs")
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("folder", [FOLDER, OLD])
def test_the_lock_file_names_no_registry(folder: Path) -> None:
    assert '"resolved"' not in (folder / "package-lock.json").read_text()


def test_the_client_in_the_docs_is_the_one_that_is_tested() -> None:
    shown = (Path(__file__).parents[2] / "docs" / "other-languages.md").read_text()
    assert f"```js\n{(FOLDER / 'fake.mjs').read_text()}```" in shown
