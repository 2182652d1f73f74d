"""What keeps the machine's time, whatever the fake's clock shows.

Fact: fake.clock.real-time
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from e2b import AsyncSandbox, Sandbox, TimeoutException

from fake_e2b import FakeE2B
from tests.helpers.waiting import wait_until

HOUR_S = 3600


def test_programs_see_the_machines_clock(still: FakeE2B) -> None:
    sandbox = Sandbox.create(timeout=24 * HOUR_S)
    before = int(sandbox.commands.run("date +%s").stdout)
    still.clock.advance(seconds=20 * HOUR_S)
    assert int(sandbox.commands.run("date +%s").stdout) - before < HOUR_S


def test_a_program_runs_on_and_ends_in_its_own_time(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(timeout=24 * HOUR_S)
    command = sandbox.commands.run(
        "until [ -e go ]; do sleep 0.02; done; echo done", background=True, timeout=0
    )
    fake.clock.advance(seconds=20 * HOUR_S)
    assert [each.pid for each in sandbox.commands.list()] == [command.pid]
    sandbox.files.write("go", "")
    assert command.wait().stdout == "done\n"


def test_a_commands_deadline_is_the_clients_own(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(timeout=24 * HOUR_S)
    command = sandbox.commands.run("sleep 0.3; echo in time", background=True, timeout=60)
    fake.clock.advance(seconds=HOUR_S)
    assert command.wait().stdout == "in time\n"
    fake.clock.freeze()
    with pytest.raises(TimeoutException):
        sandbox.commands.run("sleep 600", timeout=0.2)


async def test_files_have_the_kernels_times(fake: FakeE2B) -> None:
    sandbox = await AsyncSandbox.create(timeout=24 * HOUR_S)
    await sandbox.files.write("before.txt", "")
    fake.clock.advance(seconds=20 * HOUR_S)
    await sandbox.files.write("after.txt", "")
    before = await sandbox.files.get_info("before.txt")
    after = await sandbox.files.get_info("after.txt")
    apart = after.modified_time - before.modified_time
    assert timedelta(0) <= apart < timedelta(hours=1)


def test_a_paused_program_has_lost_no_time_of_its_own(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(timeout=60, lifecycle={"on_timeout": "pause"})
    count = "i=0; while :; do i=$((i+1)); echo $i > count; sleep 0.02; done"
    sandbox.commands.run(count, background=True, timeout=0)
    wait_until(lambda: sandbox.files.exists("count") and sandbox.files.read("count").strip())
    fake.clock.advance(seconds=60)
    fake.clock.advance(seconds=20 * HOUR_S)
    sandbox.connect(timeout=60)
    seen = int(wait_until(lambda: sandbox.files.read("count").strip()))
    # It stood still: in twenty hours it would have counted to millions.
    assert seen < 100_000
    wait_until(lambda: int(sandbox.files.read("count").strip() or 0) > seen)
