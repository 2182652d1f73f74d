"""The import rules hold, and still catch what they are there to catch."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINT = str(Path(sys.executable).with_name("lint-imports"))


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT, "--no-cache", "--config", str(folder / "pyproject.toml")],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def copied(tmp_path: Path) -> Path:
    for name in ("fake_e2b", "conftest_plugin", "contracts"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_imports_point_inwards() -> None:
    finished = lint(ROOT)
    assert finished.returncode == 0, finished.stdout


def test_a_clock_in_the_core_is_caught(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "fake_e2b" / "domain" / "hasty.py").write_text("import time\n")
    finished = lint(folder)
    assert finished.returncode == 1
    assert "fake_e2b.domain.hasty -> time" in finished.stdout


def test_a_folder_without_a_layer_is_caught(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "fake_e2b" / "utils").mkdir()
    (folder / "fake_e2b" / "utils" / "__init__.py").write_text("")
    assert lint(folder).returncode == 1


def test_a_contract_that_sees_the_fake_is_caught(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "contracts" / "cheat.py").write_text("import fake_e2b\n")
    assert lint(folder).returncode == 1
