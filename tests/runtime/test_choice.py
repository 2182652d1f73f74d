"""Which runtime is chosen, and what is said when it cannot run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
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


@pytest.fixture
def folder_of_an_ordinary_user() -> Iterator[Path]:
    # Everybody may enter /tmp; what pytest makes is closed to all but the one who runs it.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chown(folder, 65534, 65534)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_everything_holds_for_an_ordinary_user_too(folder_of_an_ordinary_user: Path) -> None:
    """The runtimes' own tests again, as user 65534 in a private folder."""
    python = _python_for_everybody()
    folder = folder_of_an_ordinary_user
    tests = [
        str(Path(__file__).parent / name)
        for name in ("test_processes.py", "test_lifecycle.py", "test_isolated_guest.py")
    ]
    packages = ":".join(path for path in sys.path if path.endswith("site-packages"))
    result = subprocess.run(
        [*python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
         "-k", "not local", "--basetemp", str(folder / "tests"), *tests],
        env={
            "PATH": os.defpath,
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": f"{ROOT_FOLDER}:{packages}",
        },
        user=65534,
        group=65534,
        extra_groups=[],
        capture_output=True,
        text=True,
        cwd=ROOT_FOLDER,
        check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[:3000] + result.stdout[-3000:]
    assert " passed" in result.stdout


def _python_for_everybody() -> list[str]:
    """A Python of this version that user 65534 may run: this one may lie in root's home."""
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        try:
            subprocess.run(
                [python, "-c", "import asyncio"],
                user=65534,
                group=65534,
                extra_groups=[],
                capture_output=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return [python]
    pytest.skip("user 65534 may not run any Python of this version")
