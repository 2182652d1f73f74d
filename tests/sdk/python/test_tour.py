"""The main path on both runtimes, and the figures' scenarios: many sandboxes, many streams."""

from __future__ import annotations

import asyncio

import pytest
from e2b import AsyncSandbox, CommandExitException, Sandbox

from fake_e2b import FakeE2B


def test_create_run_files_kill(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    assert sandbox.is_running()
    assert sandbox.commands.run("echo hi").stdout == "hi\n"
    with pytest.raises(CommandExitException) as failure:
        sandbox.commands.run("echo no >&2; exit 7")
    assert (failure.value.exit_code, failure.value.stderr) == (7, "no\n")
    sandbox.files.write("/home/user/a.txt", "text")
    assert sandbox.commands.run("cat a.txt").stdout == "text"
    sandbox.commands.run("echo more >> a.txt")
    assert sandbox.files.read("a.txt") == "textmore\n"
    assert [each.sandbox_id for each in fake.sandboxes()] == [sandbox.sandbox_id]
    assert sandbox.kill() is True
    assert sandbox.kill() is False
    assert not sandbox.is_running()
    assert fake.sandboxes() == []


async def test_many_at_once(fake: FakeE2B) -> None:
    sandboxes = await asyncio.gather(*(AsyncSandbox.create() for _ in range(10)))
    results = await asyncio.gather(
        *(sandbox.commands.run(f"echo {sandbox.sandbox_id} > me; cat me") for sandbox in sandboxes)
    )
    assert [result.stdout.strip() for result in results] == [
        sandbox.sandbox_id for sandbox in sandboxes
    ]
    assert all(await asyncio.gather(*(sandbox.kill() for sandbox in sandboxes)))
    assert fake.sandboxes() == []
