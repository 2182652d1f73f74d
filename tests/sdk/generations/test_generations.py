"""The tour under three generations of the published Python SDK, each in its own environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fake_e2b.testing import FakeE2B

ROOT = Path(__file__).parents[3]
TOUR = Path(__file__).with_name("tour.py")


def releases() -> list[tuple[str, str, Path]]:
    """Name, requirement and interpreter of each older release; the newest is the one here."""
    lines = TOUR.with_name("releases.txt").read_text().splitlines()
    older = [line.split() for line in lines if line and not line.startswith("#")]
    return [("newest", "e2b", Path(sys.executable))] + [
        (name, requirement, ROOT / ".venvs" / name / "bin" / "python")
        for name, requirement in older
    ]


@pytest.mark.generations
@pytest.mark.parametrize(
    ("requirement", "python"),
    [pytest.param(*release[1:], id=release[0]) for release in releases()],
)
def test_the_tour(requirement: str, python: Path) -> None:
    if not python.exists():
        pytest.skip(f"{requirement} is not installed (scripts/test installs it)")
    with FakeE2B() as fake:
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **fake.env()}
        finished = subprocess.run(
            [python, "-X", "faulthandler", TOUR],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    version = requirement.partition("==")[2]
    assert f"e2b {version}" in finished.stdout
