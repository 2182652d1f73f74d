"""Which runtime is chosen, and what is said when it cannot run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fake_e2b.domain.errors import RuntimeUnavailableError, UsageError
from fake_e2b.domain.ports import Capability
from fake_e2b.runtime.isolated.probe import probe
from fake_e2b.runtime.select import choose_runtime, survey

ROOT_FOLDER = Path(__file__).parents[2]

# Namespaces are refused for real: by the limit of the user namespace this runs in.
WITHOUT_NAMESPACES = """
set -e
echo 0 > /proc/sys/user/max_user_namespaces
exec "$@"
"""
ASK = """
import asyncio
import sys
from fake_e2b.domain.errors import RuntimeUnavailableError
from fake_e2b.runtime.select import choose_runtime, survey
folder = sys.argv[1]

async def auto() -> str:
    runtime = choose_runtime("auto", folder=folder)
    await runtime.start()
    try:
        guest = await runtime.create("i0")
        await guest.kill()
        return runtime.name
    finally:
        await runtime.close()

print(asyncio.run(auto()))
try:
    choose_runtime("isolated", folder=folder)
except RuntimeUnavailableError as error:
    print(error)
print([finding.held for finding in survey(folder=folder)][:2])
"""


def test_local_is_always_there(tmp_path: Path) -> None:
    assert choose_runtime("local", folder=str(tmp_path)).name == "local"


async def test_auto_is_isolated_where_the_machine_allows_it(tmp_path: Path) -> None:
    reason = probe(str(tmp_path))
    runtime = choose_runtime("auto", folder=str(tmp_path))
    assert runtime.name == "auto"
    await runtime.start()
    try:
        await runtime.create("i0")
        assert runtime.name == ("isolated" if reason is None else "local")
        assert Capability.WATCHERS in runtime.capabilities
    finally:
        await runtime.close()
    assert list(tmp_path.glob("fake-e2b-*/*")) == []


def test_an_unknown_name_is_refused_with_the_right_ones() -> None:
    with pytest.raises(UsageError, match="auto, local or isolated"):
        choose_runtime("docker")


def test_the_survey_names_every_capability_and_every_way_to_it(tmp_path: Path) -> None:
    findings = survey(folder=str(tmp_path))
    assert {finding.capability for finding in findings} == {None, *Capability}
    assert all(finding.held or finding.advice for finding in findings)
    assert list(tmp_path.glob("fake-e2b-*/*")) == []


def test_a_refusal_says_why_and_auto_falls_back(tmp_path: Path) -> None:
    try:
        choose_runtime("isolated", folder=str(tmp_path))
    except RuntimeUnavailableError as error:
        pytest.skip(f"namespaces are refused here anyway: {error}")
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    asked = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "--",
         "/bin/sh", "-c", WITHOUT_NAMESPACES, "-", sys.executable, "-c", ASK, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT_FOLDER,
        check=False,
    )  # fmt: skip
    name, reason, held = asked.stdout.splitlines()
    assert name == "local", asked.stderr
    assert "as plain programs" in asked.stderr
    assert "No space left on device" in reason
    assert "sysctl user.max_user_namespaces" in reason
    assert held == "[True, False]"
