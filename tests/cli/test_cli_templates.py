"""`--templates FILE`, for `run` and `serve`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.helpers.script import run_script

READ = "from e2b import Sandbox; print(Sandbox.create('mine').files.read('note'))"


def test_a_command_finds_the_templates_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "content").write_text("from the file")
    path = tmp_path / "templates.toml"
    path.write_text('[[template]]\nname = "mine"\nfiles = { note = { source = "content" } }\n')
    result = run_script("run", "--templates", str(path), "--", sys.executable, "-c", READ)
    assert (result.returncode, result.stdout) == (0, "from the file\n"), result.stderr


def test_a_bad_file_is_a_usage_error(tmp_path: Path) -> None:
    path = tmp_path / "templates.toml"
    path.write_text('[[template]]\nname = "mine"\nuser = "nobody-here"\n')
    result = run_script("run", "--templates", str(path), "--", "true")
    assert result.returncode == 2
    assert "no user 'nobody-here'" in result.stderr
