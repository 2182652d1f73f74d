"""Guide: "Metadata" and "Connecting to Running Sandboxes"."""

from __future__ import annotations

import pytest
from e2b.exceptions import AuthenticationException, SandboxNotFoundException
from e2b_code_interpreter import AsyncSandbox, Sandbox

METADATA = {
    "userId": "user_12345",
    "sessionId": "session_abc",
    "environment": "production",
    "purpose": "data-analysis",
}


def test_metadata_is_read_in_the_list_and_in_the_info() -> None:
    sandbox = Sandbox.create(metadata=METADATA)

    listed = {item.sandbox_id: item.metadata for item in Sandbox.list().next_items()}

    assert listed == {sandbox.sandbox_id: METADATA}
    assert sandbox.get_info().metadata == METADATA


def test_metadata_outlives_a_pause() -> None:
    sandbox = Sandbox.create(metadata=METADATA)
    sandbox.pause()
    assert Sandbox.connect(sandbox.sandbox_id).get_info().metadata == METADATA


def test_connect_gives_the_same_machine() -> None:
    sandbox = Sandbox.create()
    sandbox.files.write("left-behind.txt", "still here")

    again = Sandbox.connect(sandbox.sandbox_id)

    assert again.sandbox_id == sandbox.sandbox_id
    assert again.files.read("left-behind.txt") == "still here"


def test_connect_reaches_the_same_kernel() -> None:
    sandbox = Sandbox.create()
    sandbox.run_code("answer = 42")

    execution = Sandbox.connect(sandbox.sandbox_id).run_code('print("Reconnected!"); answer')

    assert execution.logs.stdout == ["Reconnected!\n"]
    assert execution.text == "42"


def test_connect_resumes_a_paused_sandbox_with_its_processes() -> None:
    sandbox = Sandbox.create()
    handle = sandbox.commands.run("sleep 600", background=True, timeout=0)
    sandbox.pause()

    again = Sandbox.connect(sandbox.sandbox_id)

    assert handle.pid in {process.pid for process in again.commands.list()}


def test_an_unknown_id_is_not_found() -> None:
    with pytest.raises(SandboxNotFoundException, match="ixjj3iankaishgcge4jw0"):
        Sandbox.connect("ixjj3iankaishgcge4jw0")


def test_a_wrong_key_is_refused() -> None:
    with pytest.raises(AuthenticationException):
        Sandbox.list(api_key="e2b_" + "0" * 40).next_items()


async def test_async_connect_gives_the_same_machine() -> None:
    sandbox = await AsyncSandbox.create(metadata=METADATA)
    await sandbox.files.write("left-behind.txt", "still here")

    again = await AsyncSandbox.connect(sandbox.sandbox_id)

    assert await again.files.read("left-behind.txt") == "still here"
    assert (await again.get_info()).metadata == METADATA
    execution = await again.run_code('print("Reconnected!")')
    assert execution.logs.stdout == ["Reconnected!\n"]
