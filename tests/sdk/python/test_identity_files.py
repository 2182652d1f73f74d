"""What programs in a sandbox learn about it from files."""

from __future__ import annotations

import httpx
import pytest
from e2b import Sandbox

from fake_e2b import FakeE2B


def told(sandbox: Sandbox) -> dict[str, tuple[str, str]]:
    """Name to what the file holds and who may do what with it."""
    return {
        entry.name: (sandbox.files.read(entry.path), entry.permissions)
        for entry in sandbox.files.list("/run/e2b")
    }


def test_files_say_where_a_program_runs(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    expected = {
        ".E2B_SANDBOX": ("true", "-r--r--r--"),
        ".E2B_SANDBOX_ID": (sandbox.sandbox_id, "-rw-rw-rw-"),
        ".E2B_TEMPLATE_ID": (sandbox.get_info().template_id, "-rw-rw-rw-"),
    }
    assert told(sandbox) == expected
    # A machine that boots anew writes them anew.
    sandbox.files.remove("/run/e2b")
    answer = httpx.post(
        f"{fake.url}/sandboxes/{sandbox.sandbox_id}/pause",
        json={"memory": False},
        headers={"X-API-Key": fake.api_key},
    )
    assert answer.status_code == 204
    sandbox.connect()
    assert told(sandbox) == expected


def test_commands_read_the_same_files(request: pytest.FixtureRequest, fake: FakeE2B) -> None:
    if "local" in request.node.name:
        pytest.skip("commands of the local runtime see the machine's own /run")
    sandbox = Sandbox.create()
    assert sandbox.commands.run("cat /run/e2b/.E2B_SANDBOX_ID").stdout == sandbox.sandbox_id
