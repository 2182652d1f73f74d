"""The published SDK's commands and terminals on a daemon, without a control plane."""

from __future__ import annotations

import asyncio

import pytest
from e2b import (
    AsyncSandbox,
    CommandExitException,
    InvalidArgumentException,
    NotFoundException,
    PtySize,
    TimeoutException,
)
from e2b.connection_config import ConnectionConfig
from e2b.exceptions import AuthenticationException, SandboxException
from packaging.version import Version

from tests.helpers.waiting import wait_until_async
from tests.wire.daemon import SANDBOX_ID, Daemon

API_KEY = "e2b_" + "0" * 40


@pytest.fixture
async def sandbox(daemon: Daemon) -> AsyncSandbox:
    config = ConnectionConfig(api_key=API_KEY, sandbox_url=f"http://127.0.0.1:{daemon.client.port}")
    return AsyncSandbox(
        sandbox_id=SANDBOX_ID,
        sandbox_domain=None,
        envd_version=Version("0.6.13"),
        envd_access_token=None,
        traffic_access_token=None,
        connection_config=config,
    )


async def test_run_tells_output_and_exit(sandbox: AsyncSandbox) -> None:
    chunks: list[str] = []
    result = await sandbox.commands.run(
        "echo héllo; echo err >&2; echo $MINE", envs={"MINE": "x"}, on_stdout=chunks.append
    )
    assert (result.stdout, result.stderr, result.exit_code) == ("héllo\nx\n", "err\n", 0)
    assert "".join(chunks) == result.stdout
    with pytest.raises(CommandExitException) as failed:
        await sandbox.commands.run("echo no >&2; exit 3")
    assert (failed.value.exit_code, failed.value.stderr) == (3, "no\n")
    assert failed.value.error == "exit status 3"


async def test_users_and_folders(sandbox: AsyncSandbox) -> None:
    assert (await sandbox.commands.run("echo $USER", user="root")).stdout == "root\n"
    with pytest.raises(AuthenticationException, match="invalid username: 'ghost'"):
        await sandbox.commands.run("true", user="ghost")
    with pytest.raises(InvalidArgumentException, match="cwd '/no/such' does not exist"):
        await sandbox.commands.run("true", cwd="/no/such")


async def test_a_background_command_can_be_found_fed_and_killed(sandbox: AsyncSandbox) -> None:
    handle = await sandbox.commands.run("cat", background=True, stdin=True)
    listed = await sandbox.commands.list()
    assert [(each.pid, each.cmd, each.args[-1]) for each in listed] == [
        (handle.pid, "/bin/bash", "cat")
    ]
    again = await sandbox.commands.connect(handle.pid)
    await sandbox.commands.send_stdin(handle.pid, "one\n")
    await sandbox.commands.close_stdin(handle.pid)
    assert (await handle.wait()).stdout == (await again.wait()).stdout == "one\n"

    victim = await sandbox.commands.run("sleep 60", background=True)
    assert await victim.kill()
    with pytest.raises(CommandExitException) as killed:
        await victim.wait()
    assert (killed.value.exit_code, killed.value.error) == (-1, "signal: killed")
    assert not await sandbox.commands.kill(victim.pid)
    with pytest.raises(NotFoundException):
        await sandbox.commands.send_stdin(victim.pid, "x")


async def test_a_stream_of_input_arrives_in_order(sandbox: AsyncSandbox) -> None:
    handle = await sandbox.commands.run("cat", background=True, stdin=True)
    stream = sandbox.commands.stream_input(handle.pid)
    for number in range(50):
        await stream.send(f"{number}\n")
    await stream.close()
    await sandbox.commands.close_stdin(handle.pid)
    assert (await handle.wait()).stdout == "".join(f"{n}\n" for n in range(50))


async def test_a_timeout_kills(sandbox: AsyncSandbox, daemon: Daemon) -> None:
    with pytest.raises(TimeoutException):
        await sandbox.commands.run("sleep 60", timeout=0.3)
    await wait_until_async(lambda: not daemon.envd.processes.running())


async def test_a_disconnected_command_runs_on(sandbox: AsyncSandbox, daemon: Daemon) -> None:
    handle = await sandbox.commands.run("sleep 60", background=True, timeout=0)
    await handle.disconnect()
    assert [each.pid for each in await sandbox.commands.list()] == [handle.pid]
    assert await sandbox.commands.kill(handle.pid)


async def test_a_terminal(sandbox: AsyncSandbox) -> None:
    seen = bytearray()

    def take(data: bytes) -> None:
        seen.extend(data)

    terminal = await sandbox.pty.create(PtySize(rows=24, cols=80), on_data=take)
    await sandbox.pty.resize(terminal.pid, PtySize(rows=31, cols=97))
    await sandbox.pty.send_stdin(terminal.pid, b"stty size; echo $TERM\n")
    await wait_until_async(lambda: b"31 97" in seen and b"\r\nxterm-256color" in seen)
    await sandbox.pty.send_stdin(terminal.pid, b"exit 4\n")
    with pytest.raises(CommandExitException) as left:
        await terminal.wait()
    assert left.value.exit_code == 4


async def test_a_sandbox_that_goes_is_no_clean_end(sandbox: AsyncSandbox, daemon: Daemon) -> None:
    handle = await sandbox.commands.run("sleep 60", background=True)
    daemon.cut()
    await daemon.guest.kill()
    with pytest.raises(SandboxException):
        await asyncio.wait_for(handle.wait(), 20)
