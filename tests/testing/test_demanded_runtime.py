"""`FakeE2B(runtime="isolated")` where the machine refuses: its start says so and leaves nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
WITHOUT_NAMESPACES = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
DEMAND = """
import os, sys
import psutil
from e2b import Sandbox
from fake_e2b import FakeE2B, RuntimeUnavailableError

os.environ["TMPDIR"] = sys.argv[1]
fake = FakeE2B(runtime="isolated")
try:
    fake.start()
except RuntimeUnavailableError as refusal:
    print(refusal)
print(psutil.Process().children(recursive=True))
print([name for base in os.listdir(sys.argv[1]) for name in os.listdir(f"{sys.argv[1]}/{base}")])
with FakeE2B(runtime="local"):
    print(Sandbox.create().commands.run("echo served").stdout, end="")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")
def test_a_start_that_is_refused_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    within = ["unshare", "--user", "--map-root-user", "--mount", "--"]
    if shutil.which("unshare") is None or subprocess.run([*within, "true"], check=False).returncode:
        pytest.skip("needs unshare, and namespaces to refuse others in")
    told = subprocess.run(
        [*within, "/bin/sh", "-c", WITHOUT_NAMESPACES, "-", sys.executable, "-c", DEMAND, tmp_path],
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        check=True,
    ).stdout.splitlines()
    assert told[0].startswith("the isolated runtime cannot run here: ")
    assert "sysctl user.max_user_namespaces" in told[0]
    assert told[1:] == ["[]", "[]", "served"]
