"""Nobody listens: connections are refused while the rule is in force."""

from __future__ import annotations

import socket

import httpx
import pytest
from e2b import AsyncSandbox, Sandbox
from e2b.exceptions import SandboxUnreachableException

from fake_e2b import FakeE2B, UsageError, effects
from tests.helpers.http import connected
from tests.helpers.waiting import wait_until


def test_connections_are_refused_and_taken_again(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    port = fake.port
    with fake.faults.add("*", effects.Refuse()) as fault:
        for address in _addresses():
            with pytest.raises(ConnectionRefusedError), connected(port, address):
                pass
        with pytest.raises(SandboxUnreachableException):
            sandbox.commands.run("true")
        assert fault.hits == 1
    assert fake.port == port
    assert sandbox.commands.run("echo on").stdout == "on\n"
    for address in _addresses():
        with connected(port, address):
            pass


async def test_async_clients_see_the_same(fake: FakeE2B) -> None:
    sandbox = await AsyncSandbox.create()
    with fake.faults.add("*", effects.Refuse()), pytest.raises(SandboxUnreachableException):
        await sandbox.files.exists("x")
    assert not await sandbox.files.exists("x")


def test_for_a_time(fake: FakeE2B) -> None:
    fake.faults.add("*", effects.Refuse(seconds=0.2))
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{fake.url}/health")
    wait_until(lambda: _answers(fake))


def test_idle_connections_are_closed_and_busy_ones_are_not(fake: FakeE2B) -> None:
    with httpx.Client() as idle, httpx.Client(timeout=20) as busy:
        assert idle.get(f"{fake.url}/health").status_code == 200
        fake.faults.add("getHealth", effects.Stall(seconds=0.3), at="arrived", times=1)
        with (
            busy.stream("GET", f"{fake.url}/health") as answer,
            fake.faults.add("*", effects.Refuse()),
        ):
            with pytest.raises(httpx.ConnectError):
                idle.get(f"{fake.url}/health")
            assert answer.status_code == 200


def test_twice_in_a_row_and_over_a_reset(fake: FakeE2B) -> None:
    for _ in range(3):
        first = fake.faults.add("*", effects.Refuse())
        second = fake.faults.add("*", effects.Refuse())
        first.remove()
        assert not _answers(fake)
        second.remove()
        assert _answers(fake)
    fake.faults.add("*", effects.Refuse())
    fake.reset()
    assert _answers(fake)


def test_over_tls_too() -> None:
    with FakeE2B(runtime="local", tls=True) as fake:
        sandbox = Sandbox.create()
        with fake.faults.add("*", effects.Refuse()), pytest.raises(SandboxUnreachableException):
            sandbox.files.exists("x")
        assert not sandbox.files.exists("x")


def test_a_fake_that_ends_while_it_refuses() -> None:
    with FakeE2B(runtime="local") as fake:
        port = fake.port
        fake.faults.add("*", effects.Refuse())
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))


def test_nothing_can_be_matched(fake: FakeE2B) -> None:
    with pytest.raises(UsageError, match="asks for nothing that could be matched"):
        fake.faults.add("createSandbox", effects.Refuse())
    with pytest.raises(UsageError, match="asks for nothing that could be matched"):
        fake.faults.add("*", effects.Refuse(), nth=2)
    assert _answers(fake)


def _addresses() -> list[str]:
    return ["127.0.0.1", "::1"] if _has_ipv6() else ["127.0.0.1"]


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _answers(fake: FakeE2B) -> bool:
    try:
        return httpx.get(f"{fake.url}/health").status_code == 200
    except httpx.ConnectError:
        return False
