"""What starts how much: a program of the package that needs no server starts without one."""

from __future__ import annotations

import subprocess
import sys

import pytest

SERVER = "fake_e2b.server"


def imported_by(statement: str) -> set[str]:
    """Modules that are there after the statement, in a program of its own."""
    script = f"import sys\n{statement}\nprint(*sys.modules)"
    asked = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(asked.stdout.split())


@pytest.mark.parametrize(
    "statement",
    ["import fake_e2b.runtime.websocat.command", "from fake_e2b import UsageError, __version__"],
)
def test_what_needs_no_server_imports_none(statement: str) -> None:
    modules = imported_by(statement)
    assert not {SERVER, "starlette", "pydantic"} & modules


def test_what_is_asked_for_is_imported() -> None:
    assert SERVER in imported_by("import fake_e2b; fake_e2b.FakeE2B")
    assert "fake_e2b.effects" in imported_by("import fake_e2b; fake_e2b.effects.Bandwidth")


def test_a_fake_that_nothing_fills_reads_no_files_for_it() -> None:
    modules = imported_by("import fake_e2b; fake_e2b.FakeE2B()")
    assert "fake_e2b.testing.fake" in modules
    assert not {"tomllib", "fake_e2b.testing.seed_file"} & modules


def test_what_is_not_there_is_said() -> None:
    import fake_e2b

    with pytest.raises(AttributeError, match="module 'fake_e2b' has no attribute 'Fake'"):
        _ = fake_e2b.Fake
    assert {"FakeE2B", "effects"} <= set(dir(fake_e2b))
