"""What a sandbox runs out of: room, and a way out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from e2b import CommandExitException, Sandbox
from e2b.exceptions import NotEnoughSpaceException

from fake_e2b import FakeE2B

SMALL_DISK = "mkdir -p /mnt/small && mount -t tmpfs -o size=64k,mode=777 none /mnt/small"
UNREACHABLE = "import socket; socket.create_connection(('192.0.2.1', 443))"


@pytest.fixture
def sandbox(isolated: FakeE2B) -> Iterator[Sandbox]:
    yield Sandbox.create()
    isolated.reset()


def test_a_file_that_does_not_fit_is_refused(sandbox: Sandbox) -> None:
    sandbox.commands.run(SMALL_DISK, user="root")
    with pytest.raises(NotEnoughSpaceException, match="not enough disk space available"):
        sandbox.files.write("/mnt/small/big", b"x" * 1_000_000)
    with pytest.raises(CommandExitException, match="No space left on device"):
        sandbox.commands.run("head -c 1000000 /dev/zero > /mnt/small/more")
    sandbox.files.write("elsewhere", "fits")
    assert sandbox.files.read("elsewhere") == "fits"


def test_the_outside_is_out_of_reach_at_once(sandbox: Sandbox) -> None:
    with pytest.raises(CommandExitException, match="Network is unreachable"):
        sandbox.commands.run(f'python3 -c "{UNREACHABLE}"', timeout=10)
    with pytest.raises(CommandExitException) as refused:
        sandbox.commands.run("getent hosts example.com", timeout=10)
    assert refused.value.exit_code == 2
