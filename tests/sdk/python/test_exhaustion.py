"""A machine that has no room for another sandbox: those there are go on, and nothing is left."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[3]

# Makes sandboxes until one is refused, or there are enough; then makes room, and one more.
FILL = """
import json, os, resource, sys
import psutil
from e2b import Sandbox
from fake_e2b import FakeE2B, RuntimeUnavailableError
from tests.helpers.waiting import wait_until

runtime, folder, most, *limits = sys.argv[1:]
os.environ["TMPDIR"] = folder
if limits:
    resource.setrlimit(resource.RLIMIT_NOFILE, tuple(map(int, limits)))

def answers(sandbox):
    try:
        return sandbox.commands.run("echo hi").stdout == "hi\\n"
    except Exception as error:
        told["silence"] = str(error)
        return False

def another():
    try:
        return Sandbox.create()
    except Exception:
        return None  # what was killed makes room by and by

told = {"refusal": None, "silence": None}
try:
    fake = FakeE2B(runtime=runtime).start()
except RuntimeUnavailableError as error:
    print(json.dumps({"unavailable": str(error)}))
    sys.exit()
made = []
for _ in range(int(most)):
    try:
        sandbox = Sandbox.create()
    except Exception as error:
        told["refusal"] = str(error)
        break
    made.append(sandbox)
    answers(sandbox)
told["made"] = len(made)
told["answers"] = sum(map(answers, made))
if told["refusal"]:
    for _ in range(3):
        made.pop().kill()
    told["again"] = answers(wait_until(another))
fake.stop()
told["processes"] = len(psutil.Process().children(recursive=True))
told["folders"] = [name for base in os.listdir(folder) for name in os.listdir(f"{folder}/{base}")]
print(json.dumps(told))
"""
REFUSAL = "500: Failed to place sandbox"


def fill(
    runtime: str,
    folder: Path,
    most: int,
    *limits: int,
    within: Sequence[str] = (),
) -> dict[str, Any]:
    """What `FILL` tells; the test is skipped where the runtime or the surroundings are refused."""
    if within and shutil.which(within[0]) is None:
        pytest.skip(f"needs {within[0]}")
    command = [sys.executable, "-c", FILL, runtime, str(folder), str(most), *map(str, limits)]
    done = subprocess.run(
        [*within, *command], capture_output=True, text=True, cwd=CHECKOUT, check=False
    )
    if within and "unshare" in done.stderr and not done.stdout:
        pytest.skip(f"namespaces are refused here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    if "unavailable" in told:
        pytest.skip(told["unavailable"])
    return told


_MOST_SPARE_GUESTS = 8
"""How many the isolated runtime keeps at most."""


def assert_refused_in_time(told: dict[str, Any], silent: int = 0) -> None:
    assert told["refusal"] is not None
    assert told["refusal"].startswith(REFUSAL)
    assert told["made"] >= 3
    assert told["made"] - told["answers"] <= silent, told["silence"]
    assert told["again"] is True
    assert told["processes"] == 0
    assert told["folders"] == []


@pytest.mark.parametrize("runtime", ["local", "isolated"])
def test_a_low_limit_of_descriptors_is_raised_as_far_as_it_may_be(
    runtime: str, tmp_path: Path
) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    told = fill(runtime, tmp_path, 60, 100, hard)
    assert told["refusal"] is None
    assert told["answers"] == 60
    assert told["processes"] == 0
    assert told["folders"] == []


def test_without_descriptors_for_another_sandbox_it_is_refused(tmp_path: Path) -> None:
    assert_refused_in_time(fill("isolated", tmp_path, 100, 160, 160))


def test_without_namespaces_for_another_sandbox_it_is_refused(tmp_path: Path) -> None:
    limited = 'echo 24 > /proc/sys/user/max_user_namespaces; exec "$@"'
    within = ["unshare", "--user", "--map-root-user", "--", "/bin/sh", "-c", limited, "-"]
    # With one id for all, the first command of a user takes a namespace more: guests that were made
    # ahead of need, and the last fresh one, may be up without finding one.
    told = fill("isolated", tmp_path, 40, within=within)
    assert_refused_in_time(told, silent=_MOST_SPARE_GUESTS + 1)


@pytest.mark.parametrize("runtime", ["local", "isolated"])
def test_without_room_on_the_disk_for_another_sandbox_it_is_refused(
    runtime: str, tmp_path: Path
) -> None:
    small = f'mount -t tmpfs -o nr_inodes=1500 none {tmp_path} && exec "$@"'
    within = ["unshare", "--user", "--map-root-user", "--mount", "--", "/bin/sh", "-c", small, "-"]
    assert_refused_in_time(fill(runtime, tmp_path, 100, within=within))
