"""fake-e2b is installed next to any SDK release: its requirements must resolve with theirs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = dict(os.environ)
"""With the certificates that the machine trusts: uv asks the package index."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"].values()
REQUIREMENTS = [*PROJECT["dependencies"], *(each for extra in EXTRAS for each in extra)]
# Spread over what users have: the first, both ends of 1.x, each wire library, the newest.
RELEASES = ["1.0.0", "1.5.6", "1.11.1", "2.0.0", "2.8.1", "2.20.0", "2.45.0", "2.63.0"]


def resolve(*requirements: str) -> subprocess.CompletedProcess[str]:
    uv = shutil.which(
        "uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    assert uv is not None, "uv is in the dev group"
    return subprocess.run(
        [uv, "pip", "compile", "--quiet", "--python-version", "3.11", "-"],
        input="\n".join(requirements),
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=120,
        cwd="/",  # away from pyproject.toml: users have other settings than ours
    )


@cache
def why_not() -> str:
    """Why nothing can be resolved here; empty when the package index answers."""
    return "" if resolve("h11>=0.14").returncode == 0 else "the package index can't be reached"


@pytest.mark.parametrize("release", RELEASES)
def test_it_resolves_with(release: str) -> None:
    if why_not() and "CI" not in os.environ:
        pytest.skip(why_not())
    resolved = resolve(f"e2b=={release}", *REQUIREMENTS)
    assert resolved.returncode == 0, resolved.stderr
    assert f"e2b=={release}" in resolved.stdout


def test_no_sdk_is_a_runtime_dependency() -> None:
    assert not [requirement for requirement in REQUIREMENTS if requirement.startswith("e2b")]


def test_no_requirement_has_an_upper_bound() -> None:
    assert not [each for each in REQUIREMENTS if "<" in each or "==" in each]
