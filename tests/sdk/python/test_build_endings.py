"""Builds that would not end by themselves, or say more than anyone would keep."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from e2b import Sandbox, Template
from e2b.exceptions import BuildException

from fake_e2b import FakeE2B, RuntimeUnavailableError
from tests.helpers.waiting import wait_until

MARKER = "7351.25"
"""How long the programs would sleep: found again by it."""


@pytest.fixture(params=["local", "isolated"])
def hasty(request: pytest.FixtureRequest) -> Iterator[FakeE2B]:
    """A fake whose builds may take a second."""
    try:
        made = FakeE2B(runtime=request.param, build_timeout_s=1).start()
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    yield made
    made.stop()


def sleeping() -> list[int]:
    processes = psutil.process_iter(["cmdline"])
    return [each.pid for each in processes if MARKER in " ".join(each.info["cmdline"] or [])]


def left_in(machine_folder: Path) -> list[str]:
    found = machine_folder.glob("fake-e2b-*/run-*/*")
    return [each.name for each in found if each.name.startswith(("build-", "layer-", "removed-"))]


@pytest.mark.parametrize(
    "command",
    [
        f"trap '' TERM INT HUP; while :; do sleep {MARKER}; done",
        f"(setsid setsid sleep {MARKER} &) ; setsid sh -c 'trap \"\" TERM; sleep {MARKER}' & "
        f"exec > /dev/null 2>&1; sleep {MARKER}",
        f"setsid sleep {MARKER} >&2 & exit 0",
        f"for i in $(seq 60); do (while :; do setsid sleep {MARKER}; done) & done; wait",
    ],
    ids=["ignores signals", "sessions of their own", "holds its output", "respawns"],
)
def test_whatever_a_step_runs_ends_with_the_build(
    hasty: FakeE2B, machine_folder: Path, command: str
) -> None:
    with pytest.raises(BuildException, match=r"^build timed out$"):
        Template.build(Template().from_image("x").run_cmd(command), "mine")
    wait_until(lambda: not sleeping())
    wait_until(lambda: not left_in(machine_folder))
    mounts = Path("/proc/mounts")
    assert not mounts.exists() or str(machine_folder) not in mounts.read_text()


def test_what_commands_say_is_kept_up_to_a_bound(fake: FakeE2B) -> None:
    said: list[str] = []
    much = "head -c 30000000 /dev/zero | tr '\\0' x | fold -w 10000"
    Template.build(
        Template().from_image("x").run_cmd(f"{much}; echo; echo more").run_cmd("echo w > w"),
        "mine",
        on_build_logs=lambda entry: said.append(entry.message),
    )
    kept = [each for each in said if each.endswith("x" * 10_000)]
    assert 1_500 < len(kept) < 1_700
    last = said.index(kept[-1]) + len(kept)
    assert said[last].startswith("[builder 1/2] The build's commands say too much")
    assert said[last + 1].startswith("[builder 2/2] RUN echo w > w")
    assert Sandbox.create("mine").files.read("w") == "w\n"
