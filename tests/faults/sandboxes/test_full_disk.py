"""Disks that are full."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from e2b import AsyncSandbox, CommandExitException, NotEnoughSpaceException, Sandbox
from e2b.exceptions import SandboxException

from fake_e2b import FakeE2B, RuntimeUnavailableError, SandboxTemplate, effects
from tests.helpers.waiting import wait_until


def test_an_upload_finds_no_room(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    fault = fake.faults.add("files.upload", effects.DiskFull(), times=1)
    with pytest.raises(NotEnoughSpaceException, match="not enough disk space available"):
        sandbox.files.write("a", "b")
    assert sandbox.files.write("a", "b").name == "a"
    assert fault.hits == 1


async def test_an_async_upload_finds_no_room(fake: FakeE2B) -> None:
    sandbox = await AsyncSandbox.create()
    await sandbox.files.write("before", "there")
    handle = fake.sandbox(sandbox)
    handle.fill_disk()
    with pytest.raises(NotEnoughSpaceException):
        await sandbox.files.write("a", "b")
    with pytest.raises(SandboxException, match="no space left on device"):
        await sandbox.files.make_dir("folder")
    assert await sandbox.files.make_dir("/home/user") is False
    assert await sandbox.files.read("before") == "there"
    await sandbox.files.rename("before", "after")
    handle.free_disk()
    await sandbox.files.write("a", "b")


def test_two_requests_fill_it_and_the_last_one_frees_it(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    fake.faults.add("Process.Start", effects.DiskFull())
    first = sandbox.commands.run("cat", background=True, stdin=True)
    second = sandbox.commands.run("cat", background=True, stdin=True)
    first.kill()
    with pytest.raises(CommandExitException):
        first.wait()
    with pytest.raises(NotEnoughSpaceException):
        sandbox.files.write("a", "b")
    second.kill()
    with pytest.raises(CommandExitException):
        second.wait()
    wait_until(lambda: _can_write(sandbox))


def _can_write(sandbox: Sandbox) -> bool:
    try:
        sandbox.files.write("a", "b")
    except NotEnoughSpaceException:
        return False
    return True


@pytest.fixture(scope="module")
def small() -> Iterator[FakeE2B]:
    template = SandboxTemplate("small", disk_limit_mb=16)
    try:
        fake = FakeE2B(runtime="isolated", templates=[template]).start()
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    yield fake
    fake.stop()


def test_programs_find_no_room_on_a_limited_disk(small: FakeE2B) -> None:
    sandbox = Sandbox.create("small")
    handle = small.sandbox(sandbox)
    handle.fill_disk()
    with pytest.raises(CommandExitException, match="No space left on device"):
        sandbox.commands.run("head -c 100000 /dev/zero > big")
    with pytest.raises(NotEnoughSpaceException):
        sandbox.files.write("a", "b" * 100_000)
    handle.free_disk()
    assert sandbox.commands.run("head -c 100000 /dev/zero > big; wc -c < big").stdout == "100000\n"
    small.faults.add("Process.Start", effects.DiskFull(), command="head *")
    with pytest.raises(CommandExitException, match="No space left on device"):
        sandbox.commands.run("head -c 100000 /dev/zero > more")
    sandbox.files.write("a", "b" * 100_000)
    sandbox.kill()
