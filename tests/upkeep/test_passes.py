"""The second chance that few failures have in CI, and what has none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN = f"""
source {ROOT}/scripts/environment.sh
source scripts/passes.sh
cd "$1"
run_pass somebody {sys.executable} -m pytest -p xdist -- -n 1 checks.py
tell_passes
"""
ONCE = "    with open(__file__ + '.runs', 'a+') as file:\n        file.write('x'); file.seek(0)\n"
FAILS_ONCE = f"def test_once():\n{ONCE}        assert len(file.read()) > 1\n"
FAILS_TWICE = f"def test_twice():\n{ONCE}        assert len(file.read()) > 2\n"
SKIPPED_LATER = (
    "import pytest\n"
    f"def test_skipped():\n{ONCE}        len(file.read()) > 1 and pytest.skip('later')\n"
    "    assert 0\n"
)
FAILS_IN_TEARDOWN_ONCE = (
    "import pytest\n@pytest.fixture\ndef torn():\n    yield\n"
    f"{ONCE}        assert len(file.read()) > 1\ndef test_torn(torn): pass\n"
)
FINE = "def test_fine(): pass\n"
FOUR = "import pytest\n@pytest.mark.parametrize('n', range(4))\n" + FAILS_ONCE.replace(
    "once()", "once(n)"
).replace("> 1", "> 4")
CRASHES_ONCE = f"import os\ndef test_crash():\n{ONCE}        len(file.read()) > 1 or os._exit(1)\n"
BREAKS_ONCE = f"if True:\n{ONCE}        assert len(file.read()) > 1\n"


def run_pass(folder: Path, code: str, *, ci: bool = True) -> subprocess.CompletedProcess[str]:
    (folder / "checks.py").write_text(FINE + code)
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    environment |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment |= {"CI": "true"} if ci else {}
    return subprocess.run(
        ["bash", "-c", RUN, "bash", folder],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        check=False,
    )


@pytest.mark.parametrize(
    ("code", "test"), [(FAILS_ONCE, "test_once"), (FAILS_IN_TEARDOWN_ONCE, "test_torn")]
)
def test_what_fails_once_is_excused_and_named_last(tmp_path: Path, code: str, test: str) -> None:
    ended = run_pass(tmp_path, code)
    assert ended.returncode == 0, ended.stdout
    assert ended.stderr.splitlines()[-1].startswith(
        f"unsteady: checks.py::{test} (as somebody) failed once and passed twice alone"
    )
    assert "assert 1 > 1" in ended.stdout
    assert len((tmp_path / "checks.py.runs").read_text()) == 3


@pytest.mark.parametrize(
    ("code", "runs"),
    [(FAILS_TWICE, 2), (SKIPPED_LATER, 2), (FOUR, 4), (CRASHES_ONCE, 1), (BREAKS_ONCE, 1)],
    ids=["fails twice", "skipped later", "too many", "crash", "not collected"],
)
def test_what_is_not_excused(tmp_path: Path, code: str, runs: int) -> None:
    ended = run_pass(tmp_path, code)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "error: failed: tests as somebody; "
    assert "unsteady" not in ended.stderr
    assert len((tmp_path / "checks.py.runs").read_text()) == runs


def test_nothing_is_excused_on_a_developers_machine(tmp_path: Path) -> None:
    ended = run_pass(tmp_path, FAILS_ONCE, ci=False)
    assert ended.returncode == 1
    assert len((tmp_path / "checks.py.runs").read_text()) == 1
