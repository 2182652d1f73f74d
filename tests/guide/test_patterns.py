"""Guide: "Common Patterns" and "Troubleshooting"."""

from __future__ import annotations

from datetime import datetime, timedelta

import httpx
import pytest
from e2b.exceptions import SandboxNotFoundException
from e2b_code_interpreter import AsyncSandbox, Sandbox, SandboxQuery, SandboxState

from fake_e2b.testing import FakeE2B
from tests.guide.wall_clock import now


class UserSandboxManager:
    """The guide's pattern 1."""

    def __init__(self) -> None:
        self.sandbox_cache: dict[str, Sandbox] = {}

    def get_sandbox(self, user_id: str) -> Sandbox:
        if user_id in self.sandbox_cache:
            return self.sandbox_cache[user_id]
        paginator = Sandbox.list(
            query=SandboxQuery(
                state=[SandboxState.RUNNING, SandboxState.PAUSED], metadata={"userId": user_id}
            )
        )
        sandboxes = paginator.next_items()
        if sandboxes:
            sandbox = Sandbox.connect(sandboxes[0].sandbox_id)
        else:
            created = now().isoformat()
            sandbox = Sandbox.create(timeout=600, metadata={"userId": user_id, "created": created})
        self.sandbox_cache[user_id] = sandbox
        return sandbox

    def cleanup_user_sandbox(self, user_id: str) -> None:
        if user_id in self.sandbox_cache:
            self.sandbox_cache.pop(user_id).kill()


def cleanup_old_sandboxes(max_age: timedelta, at: datetime) -> list[str]:
    """The guide's pattern 2, with `started_at` as today's SDK gives it."""
    killed = []
    paginator = Sandbox.list(query=SandboxQuery(state=[SandboxState.RUNNING]))
    while paginator.has_next:
        for info in paginator.next_items():
            if info.started_at < at - max_age:
                Sandbox.kill(info.sandbox_id)
                killed.append(info.sandbox_id)
    return killed


def get_or_recreate_sandbox(sandbox_id: str, metadata: dict[str, str]) -> tuple[Sandbox, bool]:
    """The guide's pattern 3."""
    try:
        sandbox = Sandbox.connect(sandbox_id)
        sandbox.run_code('print("alive")')
    except SandboxNotFoundException:
        return Sandbox.create(metadata=metadata), True
    return sandbox, False


def test_each_user_keeps_one_sandbox_across_processes() -> None:
    manager = UserSandboxManager()
    alice = manager.get_sandbox("alice")
    assert manager.get_sandbox("alice") is alice

    restarted = UserSandboxManager()
    assert restarted.get_sandbox("alice").sandbox_id == alice.sandbox_id
    assert restarted.get_sandbox("bob").sandbox_id != alice.sandbox_id

    restarted.cleanup_user_sandbox("alice")
    assert UserSandboxManager().get_sandbox("alice").sandbox_id != alice.sandbox_id


def test_a_paused_session_is_found_and_woken() -> None:
    UserSandboxManager().get_sandbox("carol").pause()
    again = UserSandboxManager().get_sandbox("carol")
    assert again.get_info().state == SandboxState.RUNNING


def test_cleanup_kills_only_what_is_old() -> None:
    with FakeE2B(clock="manual") as fake:
        old = Sandbox.create(timeout=3600)
        fake.clock.advance(seconds=45 * 60)
        young = Sandbox.create(timeout=3600)

        at = young.get_info().started_at

        assert cleanup_old_sandboxes(timedelta(minutes=30), at) == [old.sandbox_id]
        left = [item.sandbox_id for item in Sandbox.list().next_items()]
        assert left == [young.sandbox_id]


def test_the_raw_api_gives_start_times_as_text(fake_e2b: FakeE2B) -> None:
    Sandbox.create()
    headers = {"X-API-Key": fake_e2b.api_key}
    [listed] = httpx.get(f"{fake_e2b.url}/v2/sandboxes", headers=headers).json()

    started = datetime.fromisoformat(listed["startedAt"].replace("Z", "+00:00"))

    assert listed["startedAt"].endswith("Z")
    assert abs(now() - started) < timedelta(minutes=1)


def test_a_killed_sandbox_is_made_anew() -> None:
    sandbox = Sandbox.create(metadata={"job": "7"})
    assert get_or_recreate_sandbox(sandbox.sandbox_id, {"job": "7"})[1] is False

    sandbox.kill()

    again, recreated = get_or_recreate_sandbox(sandbox.sandbox_id, {"job": "7"})
    assert recreated
    assert again.get_info().metadata == {"job": "7"}


def test_a_sandbox_whose_time_is_up_is_not_found() -> None:
    with FakeE2B(clock="manual") as fake:
        sandbox = Sandbox.create()
        fake.clock.advance(seconds=301)
        with pytest.raises(SandboxNotFoundException):
            Sandbox.connect(sandbox.sandbox_id)
        assert sandbox.is_running() is False


def test_metadata_keys_are_case_sensitive() -> None:
    Sandbox.create(metadata={"userId": "123"})
    assert Sandbox.list(query=SandboxQuery(metadata={"userid": "123"})).next_items() == []


def test_the_variable_is_there_for_commands_and_code() -> None:
    sandbox = Sandbox.create(envs={"MY_VAR": "test_value"})
    assert sandbox.commands.run("env | grep MY_VAR").stdout == "MY_VAR=test_value\n"
    execution = sandbox.run_code('import os\nprint("MY_VAR:", os.environ.get("MY_VAR"))')
    assert execution.logs.stdout == ["MY_VAR: test_value\n"]


def test_a_responsive_sandbox_runs_code_within_a_timeout() -> None:
    sandbox = Sandbox.connect(Sandbox.create().sandbox_id)
    result = sandbox.run_code('print("alive")', timeout=5)
    assert result.error is None


async def test_async_cleanup_by_id() -> None:
    sandbox = await AsyncSandbox.create()
    assert await AsyncSandbox.kill(sandbox.sandbox_id) is True
    assert await AsyncSandbox.kill(sandbox.sandbox_id) is False
    with pytest.raises(SandboxNotFoundException):
        await AsyncSandbox.connect(sandbox.sandbox_id)
