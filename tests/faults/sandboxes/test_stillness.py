"""Sandboxes that do not answer, and ports that are closed: what the SDK's users see."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from e2b import (
    AsyncSandbox,
    GuestUnresponsiveException,
    Sandbox,
    SandboxNotRunningException,
    SandboxUnreachableException,
    ServiceBusyException,
    TimeoutException,
)

from fake_e2b import FakeE2B, effects
from tests.faults.sandboxes.service import serve
from tests.helpers.waiting import wait_until


def test_commands_time_out_in_one_that_is_frozen(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    fake.sandbox(sandbox).freeze()
    with pytest.raises(TimeoutException):
        sandbox.commands.run("echo hi", timeout=0.1)
    with pytest.raises(TimeoutException):
        sandbox.is_running(request_timeout=0.1)
    assert sandbox.get_info().state.value == "running"


async def test_async_commands_time_out_by_a_rule(fake: FakeE2B) -> None:
    sandbox = await AsyncSandbox.create()
    fault = fake.faults.add("Process.*", effects.GuestUnresponsive())
    with pytest.raises(TimeoutException):
        await sandbox.commands.run("echo hi", timeout=0.1)
    await sandbox.files.write("a", "b")
    fault.remove()
    assert (await sandbox.commands.run("echo hi")).stdout == "hi\n"
    assert fault.hits == 1


def test_a_stream_hangs_until_the_rule_is_gone(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    fault = fake.faults.add("Process.Start", effects.GuestUnresponsive(), at="frame=2")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(sandbox.commands.run, "echo hi")
        wait_until(lambda: fault.hits)
        assert not running.done()
        fault.remove()
        assert running.result().stdout == "hi\n"


def test_what_hangs_is_served_when_it_goes_on(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    counter = sandbox.commands.run("while echo x; do sleep 0.01; done", background=True)
    shown = iter(counter)
    next(shown)
    handle = fake.sandbox(sandbox)
    handle.freeze()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(sandbox.commands.run, "echo hi")
        _wait_until_asked(fake, "Process.Start", 2)
        assert not running.done()
        handle.thaw()
        assert running.result().stdout == "hi\n"
    next(shown)
    counter.kill()


def test_one_that_is_frozen_can_be_killed(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    fake.sandbox(sandbox).freeze()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(sandbox.commands.run, "echo hi")
        _wait_until_asked(fake, "Process.Start", 1)
        assert sandbox.kill()
        with pytest.raises(SandboxNotRunningException):
            running.result()


def test_one_that_was_paused_frozen_has_to_reboot(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(lifecycle={"on_timeout": "pause", "auto_resume": True})
    sandbox.files.write("a", "kept")
    fake.sandbox(sandbox).freeze()
    with pytest.raises(ServiceBusyException):
        sandbox.pause(mode="filesystem")
    assert sandbox.pause()
    assert sandbox.get_info().envd_unresponsive_at_pause is True
    assert not sandbox.is_running()
    with pytest.raises(GuestUnresponsiveException):
        sandbox.connect()
    sandbox.connect(on_resume="reboot")
    assert sandbox.get_info().envd_unresponsive_at_pause is None
    assert sandbox.commands.run("cat a").stdout == "kept"


def test_a_reset_ends_it(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    fake.sandbox(sandbox).freeze()
    fake.reset()
    assert not sandbox.is_running()


def test_a_port_is_closed_though_something_listens(fake: FakeE2B) -> None:
    sandbox, port = serve()
    url = f"http://{sandbox.get_host(port)}"
    assert httpx.get(url).status_code == 200
    closed = fake.sandbox(sandbox).close_port(port)
    answer = httpx.get(url)
    assert answer.status_code == 502
    assert answer.json() == {
        "sandboxId": sandbox.sandbox_id,
        "message": "The sandbox is running but port is not open",
        "port": port,
        "code": 502,
    }
    page = httpx.get(url, headers={"User-Agent": "Mozilla/5.0"}).text
    assert "Closed Port Error" in page
    assert closed.hits == 2
    assert sandbox.commands.run("echo hi").stdout == "hi\n"
    closed.remove()
    assert httpx.get(url).status_code == 200


def test_a_token_counts_before_the_port(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(network={"allow_public_traffic": False})
    fake.faults.add("port", effects.PortClosed())
    url = f"http://{sandbox.get_host(8080)}"
    assert httpx.get(url).status_code == 403
    token = {"e2b-traffic-access-token": sandbox.traffic_access_token or ""}
    assert httpx.get(url, headers=token).json()["message"].endswith("port is not open")


def test_the_daemon_cannot_be_reached(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    with fake.sandbox(sandbox).close_port(49983):
        with pytest.raises(SandboxUnreachableException):
            sandbox.commands.run("echo hi")
        with pytest.raises(SandboxUnreachableException):
            sandbox.files.read("a")
    assert sandbox.commands.run("echo hi").stdout == "hi\n"


def _wait_until_asked(fake: FakeE2B, operation: str, count: int) -> None:
    wait_until(lambda: len(fake.journal.records(operation=operation)) == count)
