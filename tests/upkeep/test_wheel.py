"""What a user installs: everything that runs needs, and nothing of the workshop."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

import fake_e2b

ROOT = Path(__file__).parents[2]
ENVIRONMENT = dict(os.environ)
"""With the certificates that the machine trusts: uv asks the package index."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy without caches, by the build backend itself."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    tracked = [
        "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md",
        "fake_e2b", "conftest_plugin", "contracts", "scenarios",
    ]  # fmt: skip
    for name in tracked:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", ".*")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source / name)
    places = [str(Path(sys.executable).parent), os.environ["PATH"]]
    uv = shutil.which("uv", path=os.pathsep.join(places))
    assert uv is not None, "uv is in the dev group"
    finished = subprocess.run(
        [
            uv,
            "build",
            "--wheel",
            "--quiet",
            "--python",
            sys.executable,
            "-o",
            str(built),
            str(source),
        ],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=300,
    )
    if finished.returncode and "CI" not in os.environ and "hatchling" in finished.stderr:
        pytest.skip("the build backend can't be fetched here")
    assert finished.returncode == 0, finished.stderr
    [path] = built.glob("*.whl")
    return zipfile.ZipFile(path)


def test_it_holds_every_file_that_runs(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for folder in ("fake_e2b", "conftest_plugin"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert str(path.relative_to(ROOT)) in names


def test_it_is_typed_and_brings_schema_stories_and_contracts(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {"fake_e2b/py.typed", "conftest_plugin/py.typed"} <= names
    assert [name for name in names if name.endswith(".proto")]
    for story in (ROOT / "scenarios").glob("*.toml"):
        assert f"fake_e2b/_scenarios/{story.name}" in names
    assert {"fake_e2b/_contracts/target.py", "fake_e2b/_contracts/known_gaps.toml"} <= names


def test_nothing_of_the_workshop_is_in_it(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    version = fake_e2b.__version__
    assert tops == {"fake_e2b", "conftest_plugin", f"fake_e2b-{version}.dist-info"}


def test_the_metadata_names_the_commands_and_the_plugin(wheel: zipfile.ZipFile) -> None:
    folder = f"fake_e2b-{fake_e2b.__version__}.dist-info"
    points = wheel.read(f"{folder}/entry_points.txt").decode()
    assert "fake-e2b = fake_e2b.cli.main:main" in points
    assert "fake_e2b = conftest_plugin.plugin" in points
    metadata = message_from_bytes(wheel.read(f"{folder}/METADATA"))
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"
    assert f"{folder}/licenses/LICENSE" in wheel.namelist()
