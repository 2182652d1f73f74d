"""One port for TLS and plain HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_e2b.server.authority import TrustmeAuthority, server_context
from fake_e2b.server.host import ServerThread, listen
from fake_e2b.server.streams import Receive, Scope, Send, break_connection
from tests.helpers.http import (
    both_ways,
    connected,
    exchange,
    head_of,
    read_answer,
    read_head,
    secured,
)

HOST = "Host: localhost"
CLOSE = "Connection: close"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/echo":
        reader, writer = scope["fake_e2b.connection"].switch([(b"upgrade", b"echo")])
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()
        await scope["fake_e2b.connection"].lost.wait()
        return
    received, more = 0, True
    while more:
        message = await receive()
        received += len(message.get("body", b""))
        more = message.get("more_body", False)
    start = {"type": "http.response.start", "status": 200}
    if scope["path"] == "/hang":
        await send({**start, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await break_connection(scope)
            return
    if scope["path"] == "/break":
        await send({**start, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        await break_connection(scope)
        return
    if scope["path"] == "/big":
        await send({**start, "headers": []})
        for _ in range(200):
            await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return
    accepted = scope["fake_e2b.connection"].transport.get_extra_info("socket")
    at_once = bool(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    text = f"{scope['scheme']} {received} {at_once}"
    length = (b"content-length", b"%d" % len(text))
    await send({**start, "headers": [length]})
    await send({"type": "http.response.body", "body": text.encode()})


class Served:
    """A server that takes both, and the file by which clients trust it."""

    def __init__(self, folder: Path) -> None:
        authority = TrustmeAuthority()
        self.ca_file = str(folder / "ca.pem")
        Path(self.ca_file).write_bytes(authority.certificate_pem)
        context = server_context(authority, "e2b.localhost", "127.0.0.1")
        nothing = contextlib.AsyncExitStack()
        self.thread = ServerThread(app, nothing, listen("127.0.0.1", 0), context)
        self.port = self.thread.port

    def ask(self, path: str) -> bytes:
        with secured(self.port, self.ca_file) as connection:
            connection.sendall(head_of(path, HOST, CLOSE))
            return read_answer(connection)[2]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    served.thread.start()
    yield served
    served.thread.stop()


def test_one_port_takes_both(served: Served) -> None:
    assert served.ask("/") == b"https 0 True"
    assert exchange(served.port, head_of("/", HOST, CLOSE))[2] == b"http 0 True"


@pytest.mark.parametrize(
    "name", ["localhost", "127.0.0.1", "::1", "e2b.localhost", "3000-iabc.e2b.localhost"]
)
def test_the_certificate_is_for_every_name_of_the_fake(served: Served, name: str) -> None:
    with secured(served.port, served.ca_file, name) as connection:
        assert connection.version() in ("TLSv1.2", "TLSv1.3")


@pytest.mark.parametrize("name", ["example.test", "a.b.e2b.localhost", "192.0.2.1"])
def test_it_is_for_no_other(served: Served, name: str) -> None:
    with (
        pytest.raises(ssl.SSLCertVerificationError),
        secured(served.port, served.ca_file, name),
    ):
        pass


@pytest.mark.parametrize("offered", [("h2", "http/1.1"), ("http/1.1",)])
def test_http_1_is_what_is_agreed_on(served: Served, offered: tuple[str, ...]) -> None:
    with secured(served.port, served.ca_file, protocols=offered) as connection:
        assert connection.selected_alpn_protocol() == "http/1.1"


def test_a_connection_is_kept_for_the_next_request(served: Served) -> None:
    with secured(served.port, served.ca_file) as connection:
        for _ in range(3):
            connection.sendall(head_of("/", HOST))
            assert read_answer(connection)[2] == b"https 0 True"


def test_a_handshake_may_come_in_pieces(served: Served) -> None:
    context = ssl.create_default_context(cafile=served.ca_file)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with connected(served.port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def pump() -> None:
            for byte in outgoing.read():
                connection.send(bytes([byte]))

        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                pump()
                incoming.write(connection.recv(65536))
        # The end of the handshake and the request arrive together.
        tls.write(head_of("/", HOST, CLOSE))
        connection.sendall(outgoing.read())
        answer = b""
        while b"https 0 True" not in answer:
            incoming.write(connection.recv(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                while piece := tls.read(65536):
                    answer += piece


def test_plain_requests_may_come_in_pieces(served: Served) -> None:
    with connected(served.port) as connection:
        for byte in head_of("/", HOST, CLOSE):
            connection.send(bytes([byte]))
        assert read_answer(connection)[2] == b"http 0 True"


def test_large_bodies_pass_both_ways(served: Served) -> None:
    size = 20_000_000
    with secured(served.port, served.ca_file) as connection:
        connection.sendall(head_of("/", HOST, f"Content-Length: {size}", method="POST"))
        for _ in range(size // 1_000_000):
            connection.sendall(bytes(1_000_000))
        assert read_answer(connection)[2] == b"https 20000000 True"
        connection.sendall(head_of("/big", HOST, CLOSE))
        with contextlib.suppress(ssl.SSLEOFError):
            assert len(read_answer(connection)[2]) > size


def test_a_broken_answer_does_not_look_complete(served: Served) -> None:
    with secured(served.port, served.ca_file) as connection:
        connection.sendall(head_of("/break", HOST))
        with pytest.raises((ssl.SSLEOFError, ConnectionResetError)):
            read_answer(connection)


def test_a_byte_stream_after_a_switch(served: Served) -> None:
    sent = bytes(range(256)) * 4000
    with secured(served.port, served.ca_file) as connection:
        connection.sendall(head_of("/echo", HOST, "Connection: upgrade", "Upgrade: echo") + b"a")
        status, _, got = read_head(connection)
        assert status == 101
        got += both_ways(connection, sent, len(sent) + 1 - len(got))
        assert got == b"a" + sent


def test_what_is_not_http_is_refused(served: Served) -> None:
    with secured(served.port, served.ca_file) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        status, headers, body = read_answer(connection)
        assert (status, headers["connection"], body) == (400, "close", b"400 Bad Request")
        connection.unwrap()


@pytest.mark.parametrize(
    "garbage", [b"\x16", b"\x16\x03\x01\x00\x05hello", b"\x16" * 100_000, b"\x16\x03\x01\x02\x00"]
)
def test_what_only_begins_like_tls_harms_nobody(served: Served, garbage: bytes) -> None:
    with connected(served.port) as connection, contextlib.suppress(OSError):
        connection.sendall(garbage)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1000):
            pass
    assert served.ask("/") == b"https 0 True"


def test_clients_that_do_not_trust_it_harm_nobody(served: Served) -> None:
    with connected(served.port) as plain, pytest.raises(ssl.SSLCertVerificationError):
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(plain, server_hostname="localhost")
    assert served.ask("/") == b"https 0 True"


def test_a_stop_breaks_what_is_open(tmp_path: Path) -> None:
    before = threading.active_count()
    served = Served(tmp_path)
    served.thread.start()
    with contextlib.ExitStack() as connections:
        opened = [
            connections.enter_context(secured(served.port, served.ca_file)) for _ in range(30)
        ]
        for connection in opened:
            connection.sendall(head_of("/hang", HOST))
            assert read_head(connection)[0] == 200
        # One that never says a word, one in the middle of the handshake, one after it.
        connections.enter_context(connected(served.port))
        half = connections.enter_context(connected(served.port))
        half.sendall(b"\x16\x03\x01\x02\x00")
        connections.enter_context(secured(served.port, served.ca_file))
        served.thread.stop()
        assert threading.active_count() == before
        for connection in opened:
            with pytest.raises((ssl.SSLEOFError, ConnectionResetError)):
                read_answer(connection)
        assert half.recv(1000) == b""
