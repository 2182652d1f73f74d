"""Ports in a sandbox, reached over TLS as in the domain mode."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator

import pytest
from e2b import Sandbox
from wsproto.events import CloseConnection, Request, TextMessage

from fake_e2b import FakeE2B, UsageError
from tests.helpers.http import head_of, read_answer, read_head
from tests.helpers.websocket import WebSocket
from tests.sdk.python.conftest import Service, start_service
from tests.sdk.python.test_port_endings import noted
from tests.sdk.python.test_port_websockets import start as start_websockets


@pytest.fixture(scope="module")
def domain_mode() -> Iterator[FakeE2B]:
    try:
        fake = FakeE2B(runtime="auto", tls=True).start()
    except UsageError as error:
        pytest.skip(str(error))
    yield fake
    fake.stop()


@pytest.fixture
def secure(domain_mode: FakeE2B) -> Iterator[FakeE2B]:
    yield domain_mode
    domain_mode.reset()


@contextlib.contextmanager
def connected(service: Service) -> Iterator[ssl.SSLSocket]:
    name = service.sandbox.get_host(service.port).partition(":")[0]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", service.fake.port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=name) as connection,
    ):
        yield connection


def rest_of(connection: socket.socket) -> bytes:
    rest = b""
    with contextlib.suppress(OSError):
        while piece := connection.recv(65536):
            rest += piece
    return rest


def test_requests_and_odd_answers(secure: FakeE2B) -> None:
    service = start_service(secure, Sandbox.create())
    with connected(service) as connection:
        for path, status in (("/", 200), ("/status/700", 700), ("/silent", 502), ("/?", 200)):
            connection.sendall(head_of(path, service.host))
            assert read_answer(connection)[0] == status


def test_an_early_answer_arrives_though_the_upload_goes_on(secure: FakeE2B) -> None:
    service = start_service(secure, Sandbox.create())
    for close in ((), ("Connection: close",)):
        with connected(service) as connection:
            connection.sendall(
                head_of("/early", service.host, "Content-Length: 50000000", *close, method="POST")
            )
            for _ in range(10):
                connection.sendall(b"x" * 1_000_000)
            assert read_head(connection)[0] == 413


def test_half_an_answer_never_looks_whole(secure: FakeE2B) -> None:
    service = start_service(secure, Sandbox.create())
    with connected(service) as connection:
        connection.sendall(head_of("/half", service.host))
        assert not rest_of(connection).endswith(b"0\r\n\r\n")


def test_websockets(secure: FakeE2B) -> None:
    service = start_websockets(secure, Sandbox.create())
    with connected(service) as connection:
        client = WebSocket(connection)
        client.send(Request(host=service.sandbox.get_host(service.port), target="/"))
        client.next()
        client.send(TextMessage("x" * 1_000_000))
        assert client.message() == "x" * 1_000_000
        client.send(TextMessage("close:4001:enough"))
        assert client.expect(CloseConnection).code == 4001
        client.send(CloseConnection(4001))
        assert rest_of(connection) == b""


def test_every_connection_breaks_when_the_sandbox_goes(secure: FakeE2B) -> None:
    service = start_service(secure, Sandbox.create())
    with connected(service) as events, connected(service) as tunnel:
        events.sendall(head_of("/events", service.host))
        assert read_head(events)[0] == 200
        tunnel.sendall(head_of("/", service.host, "Connection: Upgrade", "Upgrade: any"))
        assert read_head(tunnel)[0] == 101
        service.sandbox.kill()
        assert not rest_of(events).endswith(b"0\r\n\r\n")
        assert rest_of(tunnel) == b""


def test_the_service_learns_that_its_client_left(secure: FakeE2B) -> None:
    service = start_service(secure, Sandbox.create())
    with connected(service) as connection:
        connection.sendall(head_of("/", service.host, "Connection: Upgrade", "Upgrade: any"))
        assert read_head(connection)[0] == 101
    with connected(service) as connection:
        connection.sendall(head_of("/watched", service.host))
        assert read_head(connection)[0] == 200
    assert noted(service, "noted") == "ended"
