"""Hostile clients and services: right answers, and nobody else notices."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator

import pytest
from e2b import Sandbox

from fake_e2b import FakeE2B
from tests.helpers.http import connected, exchange, head_of, read_answer, read_head
from tests.sdk.python.conftest import Service, start_service


def everything(service: Service, request: bytes) -> bytes:
    """All that comes back on a connection that carries just these bytes."""
    data = bytearray()
    with connected(service.fake.port) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                data += piece
    return bytes(data)


def statuses(answers: bytes) -> list[int]:
    return [int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:]]


@pytest.fixture(scope="module")
def service(server: FakeE2B) -> Service:
    """One for all, which none of the tests may end."""
    server.reset()
    return start_service(server, Sandbox.create())


@pytest.fixture(scope="module")
def unconcerned(service: Service) -> Service:
    """Another sandbox of the same fake."""
    return start_service(service.fake, Sandbox.create())


@pytest.fixture
def bystander(unconcerned: Service) -> Iterator[Service]:
    """A sandbox with a stream that must not notice anything, and still serves afterwards."""
    service = unconcerned
    with connected(service.fake.port) as stream:
        stream.sendall(head_of("/duplex", service.host, "Transfer-Encoding: chunked", method="PUT"))
        assert read_head(stream)[0] == 200
        yield service
        stream.sendall(b"5\r\nstill\r\n0\r\n\r\n")
        seen = b""
        while not seen.endswith(b"0\r\n\r\n"):
            piece = stream.recv(100)
            assert piece, seen
            seen += piece
        assert seen == b"5\r\nstill\r\n0\r\n\r\n"
    assert service.ask("/")[0] == 200


def test_a_length_beside_chunks_smuggles_nothing(service: Service, bystander: Service) -> None:
    """Whichever framing counts, proxy and service agree: there is one request, or none."""
    inner = head_of("/smuggled", service.host)
    for framing in (
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", f"Content-Length: {len(inner) + 5}"),
    ):
        request = head_of("/upload", service.host, *framing, method="POST")
        answers = everything(service, request + b"5\r\n12345\r\n0\r\n\r\n")
        assert statuses(answers) == [200]
        assert answers.endswith(b"\r\n\r\n5")


@pytest.mark.parametrize(
    "framing",
    [
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: 5, 6",),
        ("Content-Length: +5",),
        ("Content-Length: 0x5",),
        ("Content-Length: -5",),
        ("Content-Length: 5 5",),
        ("Content-Length: 99999999999999999999999",),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
        ("Transfer-Encoding : chunked",),
        (" Transfer-Encoding: chunked",),
    ],
    ids=repr,
)
def test_a_body_of_doubtful_length_is_refused(
    service: Service, bystander: Service, framing: tuple[str, ...]
) -> None:
    request = head_of("/upload", service.host, *framing, method="POST")
    smuggled = head_of("/smuggled", service.host)
    assert statuses(everything(service, request + b"12345" + smuggled)) == [400]


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\n",
        b"-1\r\n\r\n",
        b"5\r\n1234567\r\n0\r\n\r\n",
        b"0x5\r\n12345\r\n0\r\n\r\n",
        b"f" * 30 + b"\r\n",
        b"5;" + b"x" * 2_000_000 + b"\r\n",
    ],
    ids=["letters", "negative", "too-much", "prefix", "huge", "endless-extension"],
)
def test_bad_chunks_end_the_request(service: Service, bystander: Service, body: bytes) -> None:
    request = head_of("/upload", service.host, "Transfer-Encoding: chunked", method="POST")
    # 400, or the service's silence about half a body; never a good answer.
    assert statuses(everything(service, request + body)) in ([400], [431], [502], [])


def test_a_length_given_twice_alike_is_one(service: Service) -> None:
    request = head_of(
        "/upload", service.host, "Content-Length: 5", "Content-Length: 5", method="POST"
    )
    assert everything(service, request + b"12345").endswith(b"\r\n\r\n5")


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET foo HTTP/1.1", 400),
        ("GET * HTTP/1.1", 400),
        ("GET  / HTTP/1.1", 400),
        ("GET / HTTP/1.1 extra", 400),
        ("GET /a b HTTP/1.1", 400),
        ("GET /%zz HTTP/1.1", 400),
        ("GET / HTTP/3.7", 505),
        ("G T / HTTP/1.1", 400),
        ("GET /" + "a" * 200_000 + " HTTP/1.1", 200),
        ("GET /../../../etc/passwd HTTP/1.1", 200),
        ("GET ///..//x HTTP/1.1", 200),
        ("BREW /pot HTTP/1.1", 200),
        ("TRACE / HTTP/1.1", 200),
    ],
    ids=lambda value: str(value)[:40],
)
def test_odd_request_lines(service: Service, request_line: str, status: int) -> None:
    request = f"{request_line}\r\n{service.host}\r\nConnection: close\r\n\r\n".encode()
    got, _, body = exchange(service.fake.port, request)
    assert got == status
    if status == 200:
        told = json.loads(body)
        assert (told["method"], told["target"]) == tuple(request_line.split(" ")[:2])


@pytest.mark.parametrize(
    "host", ["{host} Transfer-Encoding: chunked", "{host}/x", "a@{host}", "{host}<b>", "ü{host}"]
)
def test_a_host_that_is_none_is_refused(service: Service, host: str) -> None:
    asked = "Host: " + host.format(host=service.sandbox.get_host(service.port))
    status, _, body = exchange(service.fake.port, head_of("/", asked, "Connection: close"))
    assert (status, body) == (400, b"400 Bad Request: malformed Host header")


def test_an_absolute_target_counts_more_than_the_host(service: Service, bystander: Service) -> None:
    host = service.sandbox.get_host(service.port)
    request = head_of(f"http://{host}/x", bystander.host, "Connection: close")
    told = json.loads(exchange(service.fake.port, request)[2])
    assert dict(told["headers"])["Host"] == host


def test_connect_opens_no_tunnel_past_the_sandbox(service: Service, bystander: Service) -> None:
    host = service.sandbox.get_host(service.port)
    for target in (host, "127.0.0.1:22", "example.com:443"):
        with connected(service.fake.port) as connection:
            connection.sendall(head_of(target, service.host, method="CONNECT"))
            connection.settimeout(20)
            with contextlib.suppress(ConnectionError):
                status, _, _ = read_head(connection)
                assert status != 101


def test_headers_of_the_proxys_own_making_cannot_be_forged(service: Service) -> None:
    status, _, body = service.ask(
        "/",
        "X-Forwarded-Host: evil",
        "x-forwarded-for: evil",
        "FORWARDED: for=evil",
        "X-Forwarded-Proto: evil",
        "Connection: close, X-Secret, e2b-traffic-access-token",
        "X-Secret: hop",
    )
    assert status == 200
    assert b"evil" not in body
    assert b"hop" not in body


def test_slow_heads_hold_nobody_up(service: Service, bystander: Service) -> None:
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connected(service.fake.port)) for _ in range(150)]
        request = head_of("/slow", service.host, "Connection: close")
        for connection in slow:
            connection.sendall(request[:20])
        assert service.ask("/quick")[0] == 200
        for connection in slow:
            connection.sendall(request[20:40])
        assert bystander.ask("/quick")[0] == 200
        slow[-1].sendall(request[40:])
        assert json.loads(read_answer(slow[-1])[2])["target"] == "/slow"


def test_a_huge_head_is_refused_and_a_big_one_passes(service: Service, bystander: Service) -> None:
    big = service.ask("/", "X-Big: " + "x" * 60_000, *(f"X-{n}: {n}" for n in range(500)))
    assert big[0] == 200
    assert dict(json.loads(big[2])["headers"])["X-499"] == "499"
    assert service.ask("/", "X-Huge: " + "x" * 2_000_000)[0] == 431
