"""`--plan NAME`, for `run` and `serve`."""

from __future__ import annotations

import sys

from tests.helpers.script import run_script

CREATE = """
from e2b import Sandbox, SandboxException
try:
    Sandbox.create("base", timeout=3601, retries=0)
except SandboxException as error:
    print(error)
"""


def test_a_command_runs_under_a_plan() -> None:
    result = run_script("run", "--plan", "hobby", "--", sys.executable, "-c", CREATE)
    told = "400: Timeout cannot be greater than 1 hours\n"
    assert (result.returncode, result.stdout) == (0, told), result.stderr


def test_an_unknown_plan_is_refused() -> None:
    result = run_script("run", "--plan", "enterprise", "--", "true")
    assert result.returncode == 2
    assert "invalid choice: 'enterprise' (choose from 'hobby', 'pro')" in result.stderr
