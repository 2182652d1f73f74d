"""The folder of one server on the disk."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fake_e2b.runtime.run_folder import RunFolder


@pytest.mark.skipif(sys.platform != "linux", reason="ext4 is Linux's")
def test_sandboxes_folders_are_spread_where_the_file_system_can(tmp_path: Path) -> None:
    lsattr = shutil.which("lsattr")
    if lsattr is None:
        pytest.skip("no lsattr on this machine")
    kind = subprocess.run(
        ["stat", "-f", "-c", "%T", tmp_path], capture_output=True, text=True, check=True
    ).stdout.strip()
    if kind != "ext2/ext3":
        pytest.skip(f"{kind} spreads folders by itself")
    run = RunFolder(str(tmp_path))
    try:
        shown = subprocess.run(
            [lsattr, "-d", run.path], capture_output=True, text=True, check=True
        ).stdout
        assert "T" in shown.split()[0]
    finally:
        run.close()


def test_a_closed_folder_leaves_nothing(tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path))
    Path(run.path, "sandbox").mkdir()
    run.close()
    (base,) = tmp_path.iterdir()
    assert list(base.iterdir()) == []
