"""What a service in a sandbox may answer, the odd and the broken, and what its client sees."""

from __future__ import annotations

import json

import httpx
import pytest
from e2b import Sandbox

from fake_e2b import FakeE2B
from tests.helpers.http import connected, exchange, head_of, read_answer, read_head
from tests.sdk.python.conftest import Service, start_service

NOT_OPEN = "The sandbox is running but port is not open"


@pytest.fixture(scope="module")
def service(server: FakeE2B) -> Service:
    """One for all: no test here ends it."""
    server.reset()
    return start_service(server, Sandbox.create())


def raw(answer: bytes, *, stay: bool = False) -> str:
    """The target for which the service sends just these bytes."""
    return f"/raw?{answer.hex()}{'&stay' if stay else ''}"


def everything(service: Service, target: str, *headers: str, method: str = "GET") -> bytes:
    """All that the client gets on one connection, up to its end."""
    data = b""
    with connected(service.fake.port) as connection:
        connection.sendall(
            head_of(target, service.host, "Connection: close", *headers, method=method)
        )
        while piece := connection.recv(65536):
            data += piece
    return data


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, b"HTTP/1.1 200 OK"),
        (299, b"HTTP/1.1 299 status code 299"),
        (413, b"HTTP/1.1 413 Request Entity Too Large"),
        (418, b"HTTP/1.1 418 I'm a teapot"),
        (422, b"HTTP/1.1 422 Unprocessable Entity"),
        (500, b"HTTP/1.1 500 Internal Server Error"),
        (599, b"HTTP/1.1 599 status code 599"),
        (600, b"HTTP/1.1 600 status code 600"),
        (999, b"HTTP/1.1 999 status code 999"),
    ],
)
def test_every_status_passes(service: Service, status: int, line: bytes) -> None:
    answer = everything(service, f"/status/{status}")
    assert answer.partition(b"\r\n")[0] == line
    assert answer.endswith(b"\r\n\r\ntext")


def test_an_odd_status_leaves_the_connection_usable(service: Service) -> None:
    with connected(service.fake.port) as connection:
        for status in (700, 200, 999, 404):
            connection.sendall(head_of(f"/status/{status}", service.host))
            got, _, body = read_answer(connection)
            assert (got, body) == (status, b"text")


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nX-Cut: in the mid",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    ],
    ids=[
        "ssh", "tls", "status-4", "status-2", "status-abc", "no-colon", "two-lengths",
        "negative-length", "unknown-coding", "cut-head", "unasked-switch",
    ],
)  # fmt: skip
def test_what_is_no_answer_counts_as_a_closed_port(service: Service, answer: bytes) -> None:
    with connected(service.fake.port) as connection:
        connection.sendall(head_of(raw(answer), service.host))
        status, _, body = read_answer(connection)
        assert status == 502
        assert json.loads(body) == {
            "sandboxId": service.sandbox.sandbox_id,
            "message": NOT_OPEN,
            "port": service.port,
            "code": 502,
        }
        # Neither the connection nor the service has suffered.
        connection.sendall(head_of("/status/201", service.host))
        assert read_answer(connection)[0] == 201


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
    ],
    ids=["length", "chunks", "bad-chunk"],
)
def test_half_an_answer_never_looks_whole(service: Service, answer: bytes) -> None:
    with httpx.Client(trust_env=False) as client, pytest.raises(httpx.RemoteProtocolError):
        client.get(f"http://{service.sandbox.get_host(service.port)}{raw(answer)}")


def test_an_answer_may_end_with_its_connection(service: Service) -> None:
    for version in (b"1.0", b"1.1"):
        answer = b"HTTP/" + version + b" 200 OK\r\n\r\nto the end"
        with httpx.Client(trust_env=False) as client:
            got = client.get(f"http://{service.sandbox.get_host(service.port)}{raw(answer)}")
        assert (got.status_code, got.text) == (200, "to the end")


def test_a_length_beside_chunks_does_not_count(service: Service) -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"4\r\nfour\r\n0\r\n\r\n"
    )
    got = everything(service, raw(answer))
    assert b"content-length" not in got.lower()
    assert got.endswith(b"\r\n\r\n4\r\nfour\r\n0\r\n\r\n")


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_answers_without_a_body(service: Service, status: bytes) -> None:
    answer = b"HTTP/1.1 " + status + b"\r\nETag: x\r\n\r\n"
    with connected(service.fake.port) as connection:
        for _ in range(2):  # the next answer begins where this one ends
            connection.sendall(head_of(raw(answer, stay=True), service.host))
            got, headers, rest = read_head(connection)
            assert (got, headers["etag"], rest) == (int(status[:3]), "x", b"")
            assert "transfer-encoding" not in headers


def test_an_answer_to_head_tells_the_length_and_has_no_body(service: Service) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"
    with connected(service.fake.port) as connection:
        for _ in range(2):
            connection.sendall(head_of(raw(answer), service.host, method="HEAD"))
            got, headers, rest = read_head(connection)
            assert (got, headers["content-length"], rest) == (200, "1234", b"")


def test_interim_answers_pass_in_order_and_more_than_one(service: Service) -> None:
    answer = (
        b"HTTP/1.1 102 Processing\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    )
    got = everything(service, raw(answer))
    assert got.startswith(
        b"HTTP/1.1 102 Processing\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nlink: </b>\r\n\r\n"
        b"HTTP/1.1 200 OK\r\n"
    )
    assert got.endswith(b"ok")
    old = f"GET {raw(answer)} HTTP/1.0\r\n{service.host}\r\n\r\n".encode()
    assert exchange(service.fake.port, old)[0] == 200


def test_interim_answers_without_an_end_are_no_answer(service: Service) -> None:
    # The target that asks for them fits a head.
    answer = b"HTTP/1.1 102 P\r\n\r\n" * 1500 + b"HTTP/1.1 204 No Content\r\n\r\n"
    got = everything(service, raw(answer))
    assert got.count(b"HTTP/1.1 102 ") == 1000
    assert got.count(b"HTTP/1.1 502 ") == 1


def test_nothing_behind_an_answer_becomes_another_one(service: Service) -> None:
    smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nX-Evil: 1\r\n\r\n"
    with connected(service.fake.port) as connection:
        connection.sendall(head_of(raw(smuggled), service.host))
        _, _, body = read_answer(connection)
        assert body == b"ok"
        connection.sendall(head_of("/status/202", service.host))
        status, headers, _ = read_answer(connection)
        assert status == 202
        assert "x-evil" not in headers


def test_a_header_cannot_be_injected_by_an_answer(service: Service) -> None:
    for value in (b"a\rX-Evil: 1", b"a\x00b", b"a\x0bX-Evil: 1"):
        answer = b"HTTP/1.1 200 OK\r\nX-Odd: " + value + b"\r\nContent-Length: 0\r\n\r\n"
        got = everything(service, raw(answer))
        assert got.startswith(b"HTTP/1.1 502 ")
        assert b"x-evil" not in got.lower()


def test_a_huge_head_passes_and_an_endless_one_does_not(service: Service) -> None:
    sandbox = service.sandbox
    sandbox.files.write(
        "big.py",
        "import socket, sys\n"
        "listener = socket.create_server(('127.0.0.1', 0))\n"
        "print(listener.getsockname()[1], flush=True)\n"
        "while True:\n"
        "    connection, _ = listener.accept()\n"
        "    asked = connection.recv(65536)\n"
        "    connection.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n')\n"
        "    line = b'X-Big: ' + b'x' * 60000 + b'\\r\\n'\n"
        "    try:\n"
        "        for _ in range(20 if b'/big' in asked else 100000):\n"
        "            connection.sendall(line)\n"
        "        connection.sendall(b'\\r\\n')\n"
        "    except OSError:\n"
        "        pass\n"
        "    connection.close()\n",
    )
    started = sandbox.commands.run("python3 big.py", background=True)
    port = int(next(iter(started))[0] or "0")
    for path, status in (("/big", 200), ("/endless", 502), ("/big", 200)):
        head = head_of(path, f"Host: {sandbox.get_host(port)}", "Connection: close")
        assert exchange(service.fake.port, head)[0] == status


def test_an_early_answer_arrives_though_the_upload_goes_on(service: Service) -> None:
    """A close with unread bytes would reset the connection and take the answer along."""
    for close in ((), ("Connection: close",)):
        with connected(service.fake.port) as connection:
            connection.sendall(
                head_of("/early", service.host, "Content-Length: 50000000", *close, method="POST")
            )
            for _ in range(10):
                connection.sendall(b"x" * 1_000_000)
            assert read_head(connection)[0] == 413


def test_the_body_streams_both_ways_at_once(service: Service) -> None:
    with connected(service.fake.port) as connection:
        connection.sendall(
            head_of("/duplex", service.host, "Transfer-Encoding: chunked", method="POST")
        )
        status, _, seen = read_head(connection)
        assert status == 200
        for word in (b"ping", b"pong"):
            # Nothing but the answer to this piece may be on its way.
            connection.sendall(b"4\r\n" + word + b"\r\n")
            while not seen.endswith(word + b"\r\n"):
                seen += connection.recv(1000)
        connection.sendall(b"0\r\n\r\n")
        while not seen.endswith(b"0\r\n\r\n"):
            seen += connection.recv(1000)
        assert seen == b"4\r\nping\r\n4\r\npong\r\n0\r\n\r\n"


def test_a_body_is_asked_for_where_the_client_waits_for_that(service: Service) -> None:
    with connected(service.fake.port) as connection:
        connection.sendall(
            head_of(
                "/upload", service.host, "Expect: 100-continue", "Content-Length: 4", method="POST"
            )
        )
        assert read_head(connection)[0] == 100
        connection.sendall(b"body")
        assert read_answer(connection)[::2] == (200, b"4")
        # Nobody asks for the body of a request that is refused.
        refused = f"Host: {service.sandbox.get_host(1)}"
        connection.sendall(
            head_of("/", refused, "Expect: 100-continue", "Content-Length: 4", method="POST")
        )
        assert read_head(connection)[0] == 502


def test_a_request_without_a_body_says_so_where_one_could_be(service: Service) -> None:
    def told(method: str, *headers: str) -> dict[str, str]:
        return dict(json.loads(service.ask("/", *headers, method=method)[2])["headers"])

    for method in ("POST", "PUT", "PATCH"):
        assert told(method)["Content-Length"] == "0"
    for method in ("GET", "DELETE", "OPTIONS"):
        assert "Content-Length" not in told(method)
        assert "Content-Length" not in told(method, "Content-Length: 0")


def test_an_empty_query_is_a_query(service: Service) -> None:
    def target(asked: str) -> str:
        return str(json.loads(service.ask(asked)[2])["target"])

    for asked in ("/?", "/a%2Fb?", "/??", "/?a?", "/a?b="):
        assert target(asked) == asked
    assert target("/?x=1;y=2") == "/"
    host = service.sandbox.get_host(service.port)
    assert target(f"http://{host}/b?") == "/b?"


def test_a_target_beyond_ascii_arrives_escaped(service: Service) -> None:
    asked = "GET /gr\u00fc\u00dfe?x=\u20ac HTTP/1.1\r\n".encode()
    rest = f"{service.host}\r\nX-Raw: \u00e9\r\nConnection: close\r\n\r\n".encode("latin-1")
    for cut in (0, 7, len(asked), len(asked) + 5):
        with connected(service.fake.port) as connection:
            connection.sendall((asked + rest)[:cut])
            connection.sendall((asked + rest)[cut:])
            told = json.loads(read_answer(connection)[2])
        assert told["target"] == "/gr%C3%BC%C3%9Fe?x=%E2%82%AC"
        assert dict(told["headers"])["X-Raw"] == "é"


def test_a_client_that_has_ended_its_side_still_gets_the_answer(service: Service) -> None:
    with connected(service.fake.port) as connection:
        connection.sendall(head_of("/late/300", service.host) + head_of("/late/1", service.host))
        connection.shutdown(1)
        seen = b""
        while piece := connection.recv(65536):
            seen += piece
    assert seen.count(b"HTTP/1.1 200 OK") == 2
    assert seen.endswith(b"late")
