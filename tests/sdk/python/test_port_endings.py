"""Who learns of whose end: clients that leave, services that crash, sandboxes that go."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import httpx
import pytest
from e2b import Sandbox

from fake_e2b import FakeE2B
from tests.helpers.http import connected, exchange, head_of, read_answer, read_head
from tests.helpers.waiting import wait_until
from tests.sdk.python.conftest import Service, start_service

NOT_OPEN = "The sandbox is running but port is not open"


def noted(service: Service, name: str) -> str:
    """What the service wrote down, once it has."""

    def found() -> str:
        with contextlib.suppress(Exception):
            return service.sandbox.files.read(name)
        return ""

    return wait_until(found)


def rest_of(connection: socket.socket) -> bytes:
    """What still comes, up to the end of the connection, whichever way it ends."""
    rest = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1 << 20):
            rest += piece
    return bytes(rest)


def test_the_service_learns_that_its_client_left(service: Service) -> None:
    with connected(service.fake.port) as connection:
        connection.sendall(head_of("/watched", service.host))
        _, _, seen = read_head(connection)
        while b"start" not in seen:
            seen += connection.recv(100)
    assert noted(service, "noted") == "ended"


def test_it_learns_that_a_client_left_which_still_waited(service: Service) -> None:
    with connected(service.fake.port) as connection:
        connection.sendall(head_of("/hold", service.host))
        assert noted(service, "held") == "yes"
    assert noted(service, "noted") == "ended"


def test_an_upload_that_breaks_off_never_looks_whole(service: Service) -> None:
    for framing, body in (
        ("Content-Length: 100", b"half"),
        ("Transfer-Encoding: chunked", b"4\r\nhalf\r\n"),
        ("Transfer-Encoding: chunked", b"4\r\nhalf\r\nzz\r\n"),
    ):
        with connected(service.fake.port) as connection:
            connection.sendall(head_of("/whole", service.host, framing, method="POST") + body)
            if b"zz" in body:
                assert read_head(connection)[0] == 400
        assert noted(service, "whole").startswith("half ")
        service.sandbox.files.remove("whole")


def test_a_client_that_reads_slowly_slows_the_service_down(service: Service) -> None:
    with connected(service.fake.port) as connection:
        connection.sendall(head_of("/flood", service.host))
        assert read_head(connection)[0] == 200
        # The buffers on the way have filled; nothing of the fake's grows behind them.
        assert int(noted(service, "sent")) < 64_000_000


def test_a_service_that_reads_slowly_slows_its_client_down(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    listening = sandbox.commands.run(
        'python3 -uc \'import socket, time; s = socket.create_server(("127.0.0.1", 0));'
        " print(s.getsockname()[1]); time.sleep(600)'",
        background=True,
        timeout=0,
    )
    port = int(next(iter(listening))[0] or "0")
    with connected(fake.port) as connection:
        whole = "Content-Length: 1000000000"
        connection.sendall(head_of("/", f"Host: {sandbox.get_host(port)}", whole, method="PUT"))
        connection.settimeout(1)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 64_000_000:
                sent += connection.send(b"x" * 65536)
        assert sent < 64_000_000


@contextlib.contextmanager
def every_kind_open(service: Service) -> Iterator[dict[str, socket.socket]]:
    """Connections into the sandbox in every phase that they can be in."""
    closed = f"Host: {service.sandbox.get_host(1)}"
    requests: dict[str, tuple[bytes, int | None]] = {
        "events": (head_of("/events", service.host), 200),
        "flood": (head_of("/flood", service.host), 200),
        "tunnel": (head_of("/", service.host, "Connection: Upgrade", "Upgrade: any"), 101),
        "upload": (
            head_of("/upload", service.host, "Content-Length: 9", method="POST") + b"half",
            None,
        ),
        "duplex": (
            head_of("/duplex", service.host, "Transfer-Encoding: chunked", method="POST"),
            200,
        ),
        "waiting": (head_of("/hold", service.host), None),
        "dialling": (head_of("/", closed, "Connection: close"), None),
    }
    with contextlib.ExitStack() as stack:
        opened = {}
        for name, (request, status) in requests.items():
            connection = opened[name] = stack.enter_context(connected(service.fake.port))
            connection.sendall(request)
            if status is not None:
                assert read_head(connection)[0] == status
            if name == "waiting":
                assert noted(service, "held") == "yes"
        yield opened


def kill(fake: FakeE2B, sandbox: Sandbox) -> None:
    sandbox.kill()


def pause(fake: FakeE2B, sandbox: Sandbox) -> None:
    sandbox.pause()


def pause_without_memory(fake: FakeE2B, sandbox: Sandbox) -> None:
    sandbox.pause(keep_memory=False)


@pytest.mark.parametrize("depart", [kill, pause, pause_without_memory])
def test_every_connection_breaks_when_the_sandbox_goes(
    service: Service, depart: Callable[[FakeE2B, Sandbox], None]
) -> None:
    with every_kind_open(service) as opened:
        depart(service.fake, service.sandbox)
        for name in ("events", "flood", "duplex"):
            assert not rest_of(opened[name]).endswith(b"0\r\n\r\n"), f"{name} looks complete"
        assert rest_of(opened["tunnel"]) == b""
        for name in ("upload", "waiting", "dialling"):
            # Broken, or told that nobody is there; never an answer of the service.
            assert rest_of(opened[name])[:13] in (b"", b"HTTP/1.1 502 "), name
    assert service.ask("/")[0] == 502


def test_other_sandboxes_do_not_notice(fake: FakeE2B, service: Service) -> None:
    other = start_service(fake, Sandbox.create())
    with every_kind_open(service), connected(fake.port) as connection:
        connection.sendall(
            head_of("/duplex", other.host, "Transfer-Encoding: chunked", method="POST")
        )
        assert read_head(connection)[0] == 200
        service.sandbox.kill()
        connection.sendall(b"4\r\nping\r\n0\r\n\r\n")
        seen = b""
        while not seen.endswith(b"0\r\n\r\n"):
            seen += connection.recv(100)
        assert seen == b"4\r\nping\r\n0\r\n\r\n"


def test_a_crash_breaks_what_the_service_had_open(service: Service) -> None:
    with connected(service.fake.port) as tunnel, connected(service.fake.port) as events:
        tunnel.sendall(head_of("/", service.host, "Connection: Upgrade", "Upgrade: any"))
        assert read_head(tunnel)[0] == 101
        events.sendall(head_of("/duplex", service.host, "Transfer-Encoding: chunked", method="PUT"))
        assert read_head(events)[0] == 200
        exchange(service.fake.port, head_of("/crash", service.host, "Connection: close"))
        assert rest_of(tunnel) == b""
        assert not rest_of(events).endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("on_timeout", ["kill", "pause"])
def test_every_connection_breaks_when_the_time_is_up(on_timeout: str) -> None:
    with FakeE2B(runtime="auto", clock="manual") as fake:
        sandbox = Sandbox.create(timeout=60, lifecycle={"on_timeout": on_timeout})
        service = start_service(fake, sandbox)
        with every_kind_open(service) as opened:
            fake.clock.advance(seconds=61)
            for name in ("events", "flood", "duplex"):
                assert not rest_of(opened[name]).endswith(b"0\r\n\r\n"), f"{name} looks complete"
            assert rest_of(opened["tunnel"]) == b""
        assert service.ask("/")[0] == 502


def fork(sandbox: Sandbox) -> object:
    return sandbox.fork()


def snapshot(sandbox: Sandbox) -> object:
    return sandbox.create_snapshot()


@pytest.mark.parametrize("copy", [fork, snapshot])
def test_a_copy_of_the_sandbox_is_not_noticed(
    service: Service, copy: Callable[[Sandbox], object]
) -> None:
    with (
        connected(service.fake.port) as duplex,
        connected(service.fake.port) as tunnel,
        connected(service.fake.port) as late,
    ):
        chunked = "Transfer-Encoding: chunked"
        duplex.sendall(head_of("/duplex", service.host, chunked, method="PUT"))
        assert read_head(duplex)[0] == 200
        tunnel.sendall(head_of("/", service.host, "Connection: Upgrade", "Upgrade: any"))
        assert read_head(tunnel)[0] == 101
        late.sendall(head_of("/late/100", service.host))
        copy(service.sandbox)
        assert read_answer(late)[2] == b"late"
        tunnel.sendall(b"hello")
        tunnel.shutdown(socket.SHUT_WR)
        assert rest_of(tunnel) == b"hello"
        duplex.sendall(b"4\r\nping\r\n0\r\n\r\n")
        seen = b""
        while not seen.endswith(b"0\r\n\r\n"):
            seen += duplex.recv(100)
        assert seen == b"4\r\nping\r\n0\r\n\r\n"


def test_a_crash_in_the_middle_of_an_answer_never_looks_whole(service: Service) -> None:
    host = service.sandbox.get_host(service.port)
    with httpx.Client(trust_env=False, timeout=20) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(f"http://{host}/crash")
        # Afterwards nobody listens.
        assert client.get(f"http://{host}/").json()["message"] == NOT_OPEN
