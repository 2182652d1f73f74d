"""Ports that a program in the sandbox opened, reached as a browser or an HTTP client would."""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
import socket
import urllib.request
from collections.abc import Iterator

import httpx
import pytest
from e2b import Sandbox

from fake_e2b import FakeE2B
from fake_e2b.server.settings import RuntimeName
from tests.helpers.http import connected, exchange, head_of, read_answer, read_head
from tests.sdk.python.conftest import Service, start_service

NOT_OPEN = "The sandbox is running but port is not open"


def seen(answer: tuple[int, dict[str, str], bytes]) -> tuple[str, dict[str, str]]:
    """Target and headers that reached the service."""
    status, _, body = answer
    assert status == 200, body
    told = json.loads(body)
    return told["target"], dict(told["headers"])


def test_get_host_works_with_pythons_own_client(service: Service) -> None:
    url = f"http://{service.sandbox.get_host(service.port)}/hello?a=1"
    with urllib.request.urlopen(url, timeout=20) as answer:
        assert json.loads(answer.read())["target"] == "/hello?a=1"


async def test_get_host_works_with_async_clients(service: Service) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        host = service.sandbox.get_host(service.port)
        answers = [await client.get(f"http://{host}/{number}") for number in range(3)]
    assert [answer.json()["target"] for answer in answers] == ["/0", "/1", "/2"]


@pytest.mark.parametrize("runtime", ["local", "auto"])
def test_ports_open_under_asyncios_debug_mode_too(
    runtime: RuntimeName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    with FakeE2B(runtime=runtime) as fake:
        assert start_service(fake, Sandbox.create()).ask("/")[0] == 200


def test_the_service_that_everybody_starts_first(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    sandbox.files.write("index.html", "<h1>hi</h1>")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    sandbox.commands.run(f"python3 -m http.server {port}", background=True)
    # It may not listen yet: the proxy tries for a second before it gives up.
    with urllib.request.urlopen(f"http://{sandbox.get_host(port)}/", timeout=20) as answer:
        assert answer.read() == b"<h1>hi</h1>"


def test_what_a_request_looks_like_inside(service: Service) -> None:
    target, headers = seen(
        service.ask(
            "/a%2Fb/../c//?x=%20&y",
            "X-Forwarded-For: 1.2.3.4",
            "Forwarded: for=1.2.3.4",
            "X-Custom: kept",
            "Cookie: a=b",
            "Accept-Encoding: gzip",
            "E2b-Sandbox-Id: ignored",
            "Keep-Alive: timeout=5",
        )
    )
    assert target == "/a%2Fb/../c//?x=%20&y"
    assert headers == {
        "Host": service.sandbox.get_host(service.port),
        "X-Custom": "kept",
        "Cookie": "a=b",
        "Accept-Encoding": "gzip",
        "E2b-Sandbox-Id": "ignored",
        "Connection": "close",
    }


def test_broken_parameters_of_a_query_are_dropped(service: Service) -> None:
    assert seen(service.ask("/?x=1;y=2&z=%zz"))[0] == "/"
    assert seen(service.ask("/?b=2&z=%zz&a=+"))[0] == "/?a=+&b=2"


def test_an_undecodable_path_is_refused(service: Service) -> None:
    status, _, body = service.ask("/%zz")
    assert (status, body) == (400, b"400 Bad Request")


def test_routing_headers_find_it_too(service: Service) -> None:
    head = head_of(
        "/health",
        "Host: localhost:9000",
        f"E2b-Sandbox-Id: {service.sandbox.sandbox_id}",
        f"E2b-Sandbox-Port: {service.port}",
        "Connection: close",
    )
    target, headers = seen(exchange(service.fake.port, head))
    assert (target, headers["Host"]) == ("/health", "localhost:9000")
    head = head.replace(b"localhost:9000", b"sandbox.e2b.app:8443")
    _, headers = seen(exchange(service.fake.port, head))
    assert headers["Host"] == f"{service.port}-{service.sandbox.sandbox_id}.e2b.app"


def test_an_absolute_target_names_the_host(service: Service) -> None:
    host = service.sandbox.get_host(service.port)
    head = head_of(f"http://{host}/through?x=1", "Host: elsewhere", "Connection: close")
    target, headers = seen(exchange(service.fake.port, head))
    assert (target, headers["Host"]) == ("/through?x=1", host)


def test_what_an_answer_looks_like_outside(service: Service) -> None:
    with connected(service.fake.port) as connection:
        connection.sendall(head_of("/", service.host))
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)
    lines = head.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    assert b"set-cookie: a=1" in lines
    assert b"set-cookie: b=2" in lines
    assert b"x-kept: 2" in lines
    assert sum(line.startswith(b"date:") for line in lines) == 1
    for hop in (b"x-hop", b"keep-alive", b"connection", b"server", b"access-control"):
        assert not any(line.startswith(hop) for line in lines)


def test_a_services_own_refusal_passes_untouched(service: Service) -> None:
    status, headers, body = service.ask("/status/502")
    assert (status, body, headers["location"]) == (502, b"text", "http://localhost/x")


def test_head_and_empty_answers(service: Service) -> None:
    status, headers, body = service.ask("/", method="HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0


def test_interim_answers_pass(service: Service) -> None:
    with connected(service.fake.port) as connection:
        connection.sendall(head_of("/hints", service.host))
        status, headers, rest = read_head(connection)
        assert (status, headers["link"]) == (103, "</style.css>")
        while b"\r\n\r\n" not in rest:
            rest += connection.recv(1000)
        assert rest.startswith(b"HTTP/1.1 204 ")


def test_trailers_pass(service: Service) -> None:
    with connected(service.fake.port) as connection:
        for _ in range(2):
            # The connection's next answer begins where this one ends.
            connection.sendall(head_of("/trailers", service.host))
            _, headers, rest = read_head(connection)
            assert headers["trailer"] == "X-Sum"
            whole = b"4\r\nbody\r\n0\r\nx-sum: 4\r\n\r\n"
            while len(rest) < len(whole):
                rest += connection.recv(1000)
            assert rest == whole
    old = f"GET /trailers HTTP/1.0\r\n{service.host}\r\n\r\n".encode()
    assert exchange(service.fake.port, old)[2] == b"body"


def test_bodies_reach_the_service(service: Service) -> None:
    def uploaded(*headers: str, body: bytes) -> bytes:
        return service.ask("/upload", *headers, method="POST", body=body)[2]

    assert uploaded("Content-Length: 5", body=b"12345") == b"5"
    chunked = b"5\r\n12345\r\n1\r\n6\r\n0\r\n\r\n"
    assert uploaded("Transfer-Encoding: chunked", body=chunked) == b"6"


def test_large_bodies_pass_in_pieces(service: Service) -> None:
    size = 100_000_000
    piece = b"x" * 1_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def pieces() -> Iterator[bytes]:
        for _ in range(size // len(piece)):
            yield piece

    base = f"http://{service.sandbox.get_host(service.port)}"
    with httpx.Client(trust_env=False, timeout=60) as client:
        assert client.post(f"{base}/upload", content=pieces()).text == str(size)
        with client.stream("GET", f"{base}/count/{size}") as answer:
            assert sum(len(part) for part in answer.iter_raw()) == size
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 32 * 1024


def test_events_arrive_while_the_stream_is_open(service: Service) -> None:
    with connected(service.fake.port) as connection:
        connection.sendall(head_of("/events", service.host))
        status, headers, data = read_head(connection)
        assert (status, headers["content-type"]) == (200, "text/event-stream")
        while b"data: two\n\n" not in data:
            data += connection.recv(1000)


def test_a_body_that_breaks_off_does_not_look_complete(service: Service) -> None:
    with pytest.raises(httpx.RemoteProtocolError), httpx.Client(trust_env=False) as client:
        client.get(f"http://{service.sandbox.get_host(service.port)}/half")


def test_an_early_answer_ends_an_upload(service: Service) -> None:
    answer = service.ask("/early", "Content-Length: 100000000", method="POST", body=b"x" * 1000)
    assert answer[0] == 413


def closed_port(answer: tuple[int, dict[str, str], bytes], sandbox: Sandbox, port: int) -> bool:
    expected = {
        "sandboxId": sandbox.sandbox_id,
        "message": NOT_OPEN,
        "port": port,
        "code": 502,
    }
    return answer[0] == 502 and json.loads(answer[2]) == expected


def test_a_service_that_closes_without_an_answer_is_a_closed_port(service: Service) -> None:
    assert closed_port(service.ask("/silent"), service.sandbox, service.port)


@pytest.mark.parametrize("port", [0, 1, 65536, 99999])
def test_a_port_without_a_service_is_closed(fake: FakeE2B, port: int) -> None:
    sandbox = Sandbox.create()
    host = sandbox.get_host(port)
    answer = exchange(fake.port, head_of("/", f"Host: {host}", "Connection: close"))
    assert closed_port(answer, sandbox, port)
    head = head_of("/", f"Host: {host}", "User-Agent: Mozilla/5.0", "Connection: close")
    status, headers, page = exchange(fake.port, head)
    assert (status, headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert host.encode() in page


@pytest.mark.parametrize("protocol", ["websocket", "something-else"])
def test_an_upgrade_joins_both_ends_byte_for_byte(service: Service, protocol: str) -> None:
    with connected(service.fake.port) as connection:
        connection.sendall(
            head_of(
                "/up",
                service.host,
                "Connection: keep-alive, Upgrade",
                f"Upgrade: {protocol}",
                "Sec-WebSocket-Protocol: chat, other",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            )
            + b"early "
        )
        status, headers, data = read_head(connection)
        assert (status, headers["upgrade"]) == (101, protocol)
        assert headers["x-protocol"] == "chat, other"
        # A close frame with a code of its own, and bytes that are no text.
        frames = bytes(range(256)) * 1000 + b"\x88\x84\x00\x00\x00\x00\x0f\xa1no"
        connection.sendall(frames)
        while len(data) < len(frames) + len(b"early "):
            data += connection.recv(65536)
        assert data == b"early " + frames
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""


def test_an_upgrade_that_is_refused_is_an_ordinary_answer(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    upgrade = ("Connection: Upgrade", "Upgrade: websocket")
    with connected(fake.port) as connection:
        connection.sendall(head_of("/", f"Host: {sandbox.get_host(1)}", *upgrade))
        assert read_answer(connection)[0] == 502
        # The connection is good for another request.
        connection.sendall(head_of("/health", f"Host: {sandbox.get_host(49983)}"))
        assert read_head(connection)[0] == 204


def test_a_mask_hides_the_public_host(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(network={"mask_request_host": "localhost:${PORT}"})
    service = start_service(fake, sandbox)
    _, headers = seen(service.ask("/"))
    assert headers["Host"] == f"localhost:{service.port}"
    assert headers["X-Forwarded-Host"] == sandbox.get_host(service.port)


def test_private_ports_ask_for_the_traffic_token(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(network={"allow_public_traffic": False})
    service = start_service(fake, sandbox)
    token = sandbox.traffic_access_token

    def message(*headers: str) -> str:
        status, _, body = service.ask("/", *headers)
        assert status == 403
        return str(json.loads(body)["message"])

    assert "'e2b-traffic-access-token' is missing" in message()
    assert "is missing" in message("e2b-traffic-access-token: ")
    assert "'e2b-traffic-access-token' is invalid" in message("e2b-traffic-access-token: x")
    assert "is missing" in message(f"Authorization: Bearer {token}")
    _, headers = seen(service.ask("/", f"E2B-Traffic-Access-Token: {token}"))
    assert headers["E2b-Traffic-Access-Token"] == token
    # A closed port tells nobody without the token that it is closed.
    head = head_of("/", f"Host: {sandbox.get_host(1)}", "Connection: close")
    assert exchange(fake.port, head)[0] == 403


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_ports_that_speak_https(fake: FakeE2B) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    sandbox = Sandbox.create(network={"https_ports": [port]})
    sandbox.commands.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -keyout k -out c"
        " && cat k c > pem"
    )
    service = start_service(fake, sandbox, "127.0.0.1", "pem", port=port)
    assert seen(service.ask("/secret"))[0] == "/secret"
    assert service.ask("/upload", "Content-Length: 5", method="PUT", body=b"12345")[2] == b"5"
    with connected(fake.port) as connection:
        upgrade = ("Connection: Upgrade", "Upgrade: any")
        connection.sendall(head_of("/", service.host, *upgrade) + b"hello")
        status, _, data = read_head(connection)
        assert status == 101
        while data != b"hello":
            data += connection.recv(100)


def test_a_port_that_is_said_to_speak_https_and_does_not_is_closed(fake: FakeE2B) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    sandbox = Sandbox.create(network={"https_ports": [port]})
    service = start_service(fake, sandbox, port=port)
    assert closed_port(service.ask("/"), sandbox, port)


def test_reserved_paths_of_the_daemon(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    for path in ("/init", "//init", "/files/../init", "/freeze/", "/%69nit"):
        head = head_of(path, f"Host: {sandbox.get_host(49983)}", "Connection: close")
        status, _, body = exchange(fake.port, head)
        assert status == 404
        told = json.loads(body)
        assert told["message"].startswith("This endpoint is reserved for the E2B control plane")
        assert "sandboxId" not in told


def test_a_sandbox_that_never_was(fake: FakeE2B) -> None:
    for port in (80, 49983, 49999):
        head = head_of("/init", f"Host: {port}-iunknown.{fake.domain}", "Connection: close")
        status, _, body = exchange(fake.port, head)
        assert status == 502
        assert json.loads(body) == {
            "sandboxId": "iunknown",
            "message": "The sandbox was not found",
            "code": 502,
        }


def test_clients_that_come_and_go_leave_nothing_open(service: Service) -> None:
    for target in ("/events", "/count/100000000", "/up"):
        with connected(service.fake.port) as connection:
            connection.sendall(head_of(target, service.host))
            with contextlib.suppress(OSError):
                connection.recv(10)
    assert seen(service.ask("/"))[0] == "/"
