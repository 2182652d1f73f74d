"""A cautious user's umask is none of the sandbox's business."""

from __future__ import annotations

import subprocess
import sys

import pytest

TOUR = """
import os, sys
os.umask(0o077)
from e2b import Sandbox
from fake_e2b import FakeE2B, RuntimeUnavailableError
try:
    fake = FakeE2B(runtime=sys.argv[1]).start()
except RuntimeUnavailableError as error:
    print("skip", error)
    raise SystemExit
sandbox = Sandbox.create()
sandbox.files.write("deep/er/file", "kept")
print(sandbox.commands.run("umask; cat deep/er/file; echo; cd /usr/local/bin; sudo -n pwd").stdout)
fork = sandbox.fork()[0]
print(fork.commands.run("cat deep/er/file; echo; stat -c %a deep/er deep/er/file").stdout)
print(fork.commands.run("websocat -V").stdout)
fake.stop()
"""


@pytest.mark.parametrize("runtime", ["local", "isolated"])
def test_sandboxes_work_under_a_strict_umask(runtime: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TOUR, runtime], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    if done.stdout.startswith("skip"):
        pytest.skip(done.stdout)
    told = done.stdout.split()
    assert told[:7] == ["0022", "kept", "/usr/local/bin", "kept", "755", "644", "websocat"]
