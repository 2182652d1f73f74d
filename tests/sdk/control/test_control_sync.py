"""The control plane under the published Python SDK, synchronous half."""

from __future__ import annotations

from datetime import timedelta

import pytest
from e2b import Sandbox, SandboxQuery, SandboxState
from e2b.exceptions import (
    AuthenticationException,
    RateLimitException,
    SandboxException,
    SandboxNotFoundException,
)

from fake_e2b.testing import FakeE2B

UNKNOWN = "i" + "0" * 20


def test_a_sandbox_is_as_it_was_asked_for(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(
        timeout=60, metadata={"who": "a b&c=d"}, lifecycle={"on_timeout": "pause"}
    )
    info = sandbox.get_info()
    assert info.sandbox_id == sandbox.sandbox_id
    assert info.name == "base"
    assert info.metadata == {"who": "a b&c=d"}
    assert info.state is SandboxState.RUNNING
    assert info.end_at - info.started_at == timedelta(seconds=60)
    assert info.envd_version == "0.6.13"
    assert info.lifecycle
    assert info.lifecycle["on_timeout"] == "pause"


def test_a_wrong_template_is_not_found(fake: FakeE2B) -> None:
    with pytest.raises(SandboxException, match=r"^404: template 'nope' not found$"):
        Sandbox.create("nope")


def test_a_timeout_that_is_too_long_is_refused(fake: FakeE2B) -> None:
    with pytest.raises(SandboxException, match=r"^400: Timeout cannot be greater than 24 hours$"):
        Sandbox.create(timeout=24 * 3600 + 1)


def test_a_wrong_key_is_an_authentication_error(fake: FakeE2B) -> None:
    with pytest.raises(AuthenticationException, match="Cannot get the team"):
        Sandbox.create(api_key="e2b_" + "f" * 40)


def test_the_limit_is_a_rate_limit_error(fake: FakeE2B) -> None:
    for _ in range(10):
        Sandbox.create()
    with pytest.raises(RateLimitException, match="maximum number of concurrent"):
        Sandbox.create()


def test_connect_finds_the_same_sandbox(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(timeout=60)
    again = Sandbox.connect(sandbox.sandbox_id, timeout=120)
    assert again.sandbox_id == sandbox.sandbox_id
    info = again.get_info()
    assert info.end_at - info.started_at == timedelta(seconds=120)
    Sandbox.connect(sandbox.sandbox_id, timeout=5)
    assert sandbox.get_info().end_at == info.end_at


def test_connect_to_nothing_is_not_found(fake: FakeE2B) -> None:
    with pytest.raises(SandboxNotFoundException, match=UNKNOWN):
        Sandbox.connect(UNKNOWN)


def test_set_timeout_counts_from_now(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(timeout=60)
    fake.clock.advance(seconds=30)
    sandbox.set_timeout(10)
    info = sandbox.get_info()
    assert info.end_at - info.started_at == timedelta(seconds=40)
    fake.clock.advance(seconds=10)
    with pytest.raises(SandboxNotFoundException):
        sandbox.get_info()


def test_set_timeout_shortens_and_is_cut_at_the_longest_run(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(timeout=60)
    Sandbox.set_timeout(sandbox.sandbox_id, 10**6)
    info = sandbox.get_info()
    assert info.end_at - info.started_at == timedelta(hours=24)


def test_kill_tells_whether_there_was_one(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    assert sandbox.kill() is True
    assert sandbox.kill() is False
    assert Sandbox.kill(UNKNOWN) is False


def test_pause_and_resume(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(timeout=60, metadata={"a": "b"})
    started_at = sandbox.get_info().started_at
    assert sandbox.pause() is True
    assert sandbox.pause() is False
    paused = sandbox.get_info()
    assert paused.state is SandboxState.PAUSED
    assert paused.started_at == started_at
    fake.clock.advance(seconds=3600)
    assert sandbox.get_info().state is SandboxState.PAUSED
    sandbox.connect(timeout=30)
    resumed = sandbox.get_info()
    assert resumed.state is SandboxState.RUNNING
    assert resumed.metadata == {"a": "b"}
    assert resumed.started_at > started_at
    assert resumed.end_at - resumed.started_at == timedelta(seconds=30)


def test_a_paused_sandbox_has_no_timeout(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    sandbox.pause()
    with pytest.raises(SandboxNotFoundException):
        sandbox.set_timeout(10)
    assert sandbox.kill() is True
    with pytest.raises(SandboxNotFoundException):
        sandbox.pause()


def test_a_sandbox_ends_or_pauses_at_its_time(fake: FakeE2B) -> None:
    doomed = Sandbox.create(timeout=60)
    kept = Sandbox.create(timeout=60, lifecycle={"on_timeout": "pause"})
    fake.clock.advance(seconds=60)
    with pytest.raises(SandboxNotFoundException):
        doomed.get_info()
    assert kept.get_info().state is SandboxState.PAUSED


def test_lists_page_filter_and_order(fake: FakeE2B) -> None:
    made = []
    for at in range(5):
        made.append(Sandbox.create(timeout=3600, metadata={"n": str(at), "all": "x y"}))
        fake.clock.advance(seconds=1)
    made[0].pause()

    pages = Sandbox.list(limit=2)
    found = []
    while pages.has_next:
        page = pages.next_items()
        assert len(page) <= 2
        found += [each.sandbox_id for each in page]
    assert found == [each.sandbox_id for each in reversed(made)]

    def ids(query: SandboxQuery) -> list[str]:
        return [each.sandbox_id for each in Sandbox.list(query=query).next_items()]

    assert ids(SandboxQuery(metadata={"n": "3", "all": "x y"})) == [made[3].sandbox_id]
    assert ids(SandboxQuery(state=[SandboxState.PAUSED])) == [made[0].sandbox_id]
    assert len(ids(SandboxQuery(state=[SandboxState.RUNNING]))) == 4


def test_metrics_have_the_sandboxes_figures(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    [point] = sandbox.get_metrics()
    assert point.cpu_count > 0
    assert point.mem_total > 0
    sandbox.kill()
    with pytest.raises(SandboxNotFoundException):
        sandbox.get_info()


def test_network_and_internet_access_are_shown(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(
        network={"deny_out": ["1.1.1.1/32"], "mask_request_host": "localhost:${PORT}"},
        allow_internet_access=True,
    )
    info = sandbox.get_info()
    assert info.allow_internet_access is True
    assert info.network
    assert info.network["deny_out"] == ["1.1.1.1/32"]
    sandbox.update_network({"allow_out": ["8.8.8.8"]})
    changed = sandbox.get_info().network
    assert changed
    assert changed["allow_out"] == ["8.8.8.8"]
    assert "deny_out" not in changed


def test_two_keys_are_two_teams(fake: FakeE2B) -> None:
    key = "e2b_" + "ab" * 20
    with FakeE2B(runtime="local", teams={"others": [key]}, set_environment=False) as other:
        own = {"api_key": other.api_key, "api_url": other.url, "sandbox_url": other.url}
        sandbox = Sandbox.create(**own)
        theirs = {**own, "api_key": key}
        assert Sandbox.kill(sandbox.sandbox_id, **theirs) is False
        assert Sandbox.list(**theirs).next_items() == []
        assert Sandbox.kill(sandbox.sandbox_id, **own) is True
