"""Tours under several generations of the published Python SDK, each in its own environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fake_e2b.testing import FakeE2B

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
URLS = ("E2B_API_URL", "E2B_SANDBOX_URL", "E2B_VOLUME_API_URL")

PLUGIN_TEST = """
import pytest

pytest_plugins = ["conftest_plugin.plugin"]


def test_the_fixture(fake_e2b):
    from e2b import Sandbox

    sandbox = getattr(Sandbox, "create", Sandbox)(metadata={"a": "b"})
    assert sandbox.commands.run("echo hi").stdout == "hi\\n"
    assert len(fake_e2b.sandboxes()) == 1
    sandbox.kill()


@pytest.mark.fake_e2b(clock="manual")
def test_a_server_of_its_own(fake_e2b, e2b_sandbox):
    # Clients that were made before trust this one, too.
    e2b_sandbox.files.write("a.txt", "text")
    assert e2b_sandbox.files.read("a.txt") == "text"
    fake_e2b.clock.advance(seconds=301)
    assert not e2b_sandbox.is_running()


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_async(fake_e2b, e2b_async_sandbox):
    assert (await e2b_async_sandbox.commands.run("echo hi")).stdout == "hi\\n"
"""


def releases() -> dict[str, str]:
    """What is installed in each folder below .venvs."""
    lines = (HERE / "releases.txt").read_text().splitlines()
    older = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    return {name: installed for name, installed in older}


def python_of(release: str) -> tuple[Path, str]:
    """The interpreter of a release, and the version of its SDK ("" for the newest, in here)."""
    if release == "newest":
        return Path(sys.executable), ""
    python = ROOT / ".venvs" / release / "bin" / "python"
    installed = releases()[release]
    if not python.exists():
        pytest.skip(f"{installed} is not installed (scripts/test installs it)")
    return python, installed.split()[0].removeprefix("e2b==")


def run(python: Path, *arguments: object, **variables: str) -> str:
    """What it prints; nothing is inherited but how to find programs."""
    finished = subprocess.run(
        [python, "-X", "faulthandler", *map(str, arguments)],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.mark.generations
@pytest.mark.parametrize("release", ["newest", "2.8", "2.35"])
def test_the_tour(release: str) -> None:
    python, version = python_of(release)
    with FakeE2B() as fake:
        assert f"e2b {version}" in run(python, HERE / "tour.py", **fake.env())


@pytest.mark.generations
def test_the_tour_by_the_domain_alone() -> None:
    with FakeE2B(tls=True, set_environment=False) as fake:
        variables = {name: value for name, value in fake.env().items() if name not in URLS}
        assert "toured" in run(Path(sys.executable), HERE / "tour.py", **variables)


@pytest.mark.generations
@pytest.mark.parametrize("release", ["1.0", "1.5", "2.0", "2.3", "2.6"])
def test_old_releases_find_a_fake_that_runs_beside_them(release: str) -> None:
    python, version = python_of(release)
    shown = run(python, HERE / "old_tour.py", "inside", PYTHONPATH=str(ROOT))
    assert f"e2b {version} toured" in shown


@pytest.mark.generations
@pytest.mark.parametrize("release", ["1.0", "2.6", "2.32"])
def test_old_interpreters_find_a_fake_by_its_variables(release: str) -> None:
    python, version = python_of(release)
    with FakeE2B(tls=True, set_environment=False) as fake:
        shown = run(python, HERE / "old_tour.py", "code", **fake.env())
    assert f"code ok\ne2b {version} toured" in shown


@pytest.mark.generations
@pytest.mark.parametrize("release", ["1.5", "2.0"])
def test_the_plugin_serves_old_releases(release: str, tmp_path: Path) -> None:
    python, _ = python_of(release)
    (tmp_path / "test_app.py").write_text(PLUGIN_TEST)
    folder = os.fspath(tmp_path)
    shown = run(
        python, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder, PYTHONPATH=str(ROOT)
    )
    assert "3 passed" in shown


LATER = """
import asyncio
from e2b import AsyncSandbox, Sandbox
from fake_e2b import FakeE2B

async def use():
    sandbox = Sandbox.create()
    assert sandbox.commands.run("echo hi").stdout == "hi\\n"
    sandbox.files.write("a.txt", "text")
    assert sandbox.files.read("a.txt") == "text"
    sandbox.kill()
    sandbox = await AsyncSandbox.create()
    assert (await sandbox.commands.run("echo hi")).stdout == "hi\\n"
    await sandbox.files.write("a.txt", "text")
    await sandbox.kill()

async def main():
    with FakeE2B(tls=False):
        await use()
        with FakeE2B(tls=True):
            await use()
        await use()

asyncio.run(main())
print("all of it")
"""


@pytest.mark.generations
@pytest.mark.parametrize("release", ["2.8", "2.35"])
def test_clients_made_before_believe_a_fake_with_tls(release: str) -> None:
    python, _ = python_of(release)
    assert run(python, "-c", LATER, PYTHONPATH=str(ROOT)) == "all of it\n"
