"""Runs the JavaScript SDK's tests, which stand in `tests/sdk/javascript`, on node's test runner."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from fake_e2b.testing import FakeE2B

FOLDER = Path(__file__).parent / "javascript"
NODE = shutil.which("node")
OLDEST_NODE = 20
FILES = sorted(path.name for path in FOLDER.glob("*.test.mjs"))


@cache
def why_not() -> str:
    """Why the tests cannot run here; empty when they can."""
    if NODE is None:
        return "node is not installed"
    version = subprocess.run([NODE, "--version"], capture_output=True, text=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        return f"node is {version}; the JavaScript SDK needs {OLDEST_NODE} or newer"
    if not (FOLDER / "node_modules" / "e2b").is_dir():
        return "the JavaScript SDK is not installed (scripts/test installs it where npm is)"
    return ""


@pytest.mark.javascript
@pytest.mark.skipif(bool(why_not()), reason=why_not())
@pytest.mark.parametrize("name", FILES)
def test_the_published_javascript_sdk(name: str) -> None:
    assert NODE is not None
    with FakeE2B() as fake:
        # Only the fake's variables and what node itself needs: nothing may be inherited by luck.
        environment = {"PATH": os.environ["PATH"], "HOME": str(FOLDER), **fake.env()}
        finished = subprocess.run(
            [NODE, "--test", "--test-reporter=spec", "--test-timeout=60000", name],
            cwd=FOLDER,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_the_lock_file_names_no_registry() -> None:
    assert '"resolved"' not in (FOLDER / "package-lock.json").read_text()
