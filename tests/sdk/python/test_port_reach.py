"""Which services are reached, by whom, and how many at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from e2b import AsyncSandbox, Sandbox

from fake_e2b import FakeE2B
from fake_e2b.domain.ports import Capability
from tests.helpers.http import connected, exchange, head_of, read_answer, read_head
from tests.helpers.waiting import wait_until
from tests.sdk.python.conftest import SERVICE, Service, needs, start_service

LATER = """
import json, os, runpy, socket, ssl, sys, threading, time, typing
print("ready", flush=True)
while not os.path.exists("now"):
    time.sleep(0.005)
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""All that takes time is done before: a request waits for a second."""
NOT_OPEN = "The sandbox is running but port is not open"


def target(answer: tuple[int, dict[str, str], bytes]) -> str:
    """Of the request that reached the service."""
    assert answer[0] == 200, answer
    return str(json.loads(answer[2])["target"])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@pytest.mark.parametrize("bind", ["127.0.0.1", "0.0.0.0", "::1", "::"])
def test_a_service_is_reached_wherever_it_listens(fake: FakeE2B, bind: str) -> None:
    assert target(start_service(fake, Sandbox.create(), bind).ask("/here")) == "/here"


def test_the_last_port_is_one_like_others(fake: FakeE2B) -> None:
    needs(fake, Capability.OWN_PORTS)
    assert target(start_service(fake, Sandbox.create(), port=65535).ask("/last")) == "/last"


def test_a_service_that_begins_to_listen_meanwhile_is_reached(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    port = free_port()
    sandbox.files.write("service.py", SERVICE.read_text())
    sandbox.files.write("later.py", LATER)
    later = sandbox.commands.run(f"exec python3 later.py service.py {port}", background=True)
    assert next(iter(later))[0] == "ready\n"
    with connected(fake.port) as connection:
        connection.sendall(head_of("/later", f"Host: {sandbox.get_host(port)}"))
        sandbox.files.write("now", "")
        assert target(read_answer(connection)) == "/later"


def test_the_same_port_in_two_sandboxes_leads_to_each(fake: FakeE2B) -> None:
    needs(fake, Capability.OWN_PORTS)
    sandboxes = [Sandbox.create(), Sandbox.create()]
    for number, sandbox in enumerate(sandboxes):
        sandbox.files.write("who", f"sandbox {number}")
        sandbox.commands.run("python3 -m http.server 8080", background=True)
    for number, sandbox in enumerate(sandboxes):
        with urllib.request.urlopen(f"http://{sandbox.get_host(8080)}/who", timeout=20) as answer:
            assert answer.read() == b"sandbox %d" % number


async def test_get_host_of_the_async_sdk(fake: FakeE2B) -> None:
    needs(fake, Capability.OWN_PORTS)
    sandboxes = [await AsyncSandbox.create() for _ in range(2)]
    for number, sandbox in enumerate(sandboxes):
        await sandbox.files.write("who", f"sandbox {number}")
        await sandbox.commands.run("python3 -m http.server 8080", background=True)
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        answers = await asyncio.gather(
            *(client.get(f"http://{sandbox.get_host(8080)}/who") for sandbox in sandboxes)
        )
    assert [answer.text for answer in answers] == ["sandbox 0", "sandbox 1"]


def test_one_connection_serves_several_sandboxes_and_ports(fake: FakeE2B) -> None:
    services = [start_service(fake, Sandbox.create()) for _ in range(2)]
    with connected(fake.port) as connection:
        for _ in range(2):
            for service in services:
                connection.sendall(head_of("/mine", service.host))
                assert target(read_answer(connection)) == "/mine"
                daemon = f"Host: {service.sandbox.get_host(49983)}"
                connection.sendall(head_of("/health", daemon))
                assert read_head(connection)[0] == 204
            connection.sendall(head_of("/", f"Host: 80-igone.{fake.domain}"))
            assert read_answer(connection)[0] == 502


def test_requests_that_do_not_wait_for_answers_get_them_in_order(service: Service) -> None:
    asked = [f"/late/{200 - 40 * number}" for number in range(5)] + ["/status/404", "/status/200"]
    with connected(service.fake.port) as connection:
        connection.sendall(b"".join(head_of(path, service.host) for path in asked))
        seen = b""
        while seen.count(b"text") < 2:
            seen += connection.recv(65536)
    assert [part[:3] for part in seen.split(b"HTTP/1.1 ")[1:]] == [b"200"] * 5 + [b"404", b"200"]


def test_many_requests_at_once_do_not_mix(service: Service) -> None:
    closed = f"Host: {service.sandbox.get_host(1)}"
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connected(service.fake.port)) for _ in range(200)]
        waiting = [stack.enter_context(connected(service.fake.port)) for _ in range(20)]
        for connection in waiting:
            connection.sendall(head_of("/", closed))
        for turn in range(2):
            for number, connection in enumerate(clients):
                connection.sendall(head_of(f"/{turn}/{number}", service.host))
            for number, connection in enumerate(clients):
                assert target(read_answer(connection)) == f"/{turn}/{number}"
        for connection in waiting:
            assert json.loads(read_answer(connection)[2])["message"] == NOT_OPEN


def open_descriptors() -> int:
    return len(os.listdir("/dev/fd"))


def test_whatever_ends_how_no_descriptor_stays_open(service: Service) -> None:
    nobody = f"Host: {service.sandbox.get_host(1)}"

    def closed_port() -> int:
        return exchange(service.fake.port, head_of("/", nobody, "Connection: close"))[0]

    def every_kind() -> None:
        assert service.ask("/")[0] == 200
        assert service.ask("/silent")[0] == 502
        assert service.ask("/raw?00ff")[0] == 502
        for path in ("/events", "/count/10000000", "/flood", "/half", "/late/1000", "/silent"):
            with connected(service.fake.port) as connection:
                connection.sendall(head_of(path, service.host))
                connection.recv(10)
        with connected(service.fake.port) as connection:
            connection.sendall(
                head_of("/upload", service.host, "Content-Length: 10", method="POST") + b"half"
            )
        with connected(service.fake.port) as connection:
            connection.sendall(head_of("/", service.host, "Connection: Upgrade", "Upgrade: x"))
            assert read_head(connection)[0] == 101

    every_kind()
    assert closed_port() == 502
    before = wait_until(open_descriptors)
    with ThreadPoolExecutor() as pool:  # a closed port is tried for a while
        refused = [pool.submit(closed_port) for _ in range(5)]
        for _ in range(5):
            every_kind()
        assert [each.result() for each in refused] == [502] * 5
    wait_until(lambda: open_descriptors() <= before + 3, message="descriptors stay open")
    service.sandbox.kill()
