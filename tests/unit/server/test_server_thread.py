from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import socket
import threading
from collections.abc import Iterator

import pytest

from fake_e2b.domain.errors import UsageError
from fake_e2b.server.host import ServerThread, is_loopback, listen
from fake_e2b.server.streams import Receive, Scope, Send, break_connection
from tests.helpers.http import connected, exchange, head_of, read_head
from tests.helpers.waiting import wait_until


class Life:
    """A service that notes its own start and end."""

    def __init__(self, *, start: BaseException | None = None, end: BaseException | None = None):
        self.events: list[str] = []
        self._start, self._end = start, end

    async def __aenter__(self) -> None:
        self.events.append("start")
        if self._start is not None:
            raise self._start

    async def __aexit__(self, *exc: object) -> None:
        self.events.append("end")
        if self._end is not None:
            raise self._end


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/hang":
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await break_connection(scope)
            return
    body = b"ok"
    if scope["path"] == "/delay":
        accepted = scope["fake_e2b.connection"].transport.get_extra_info("socket")
        body = b"%r" % (not accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    await send({"type": "http.response.body", "body": body})


@contextlib.contextmanager
def serving(life: Life | None = None, host: str = "127.0.0.1") -> Iterator[ServerThread]:
    thread = ServerThread(app, life or Life(), listen(host, 0))
    thread.start()
    try:
        yield thread
    finally:
        thread.stop()


def get(port: int, path: str = "/") -> tuple[int, bytes]:
    status, _, body = exchange(port, head_of(path, "Host: localhost", "Connection: close"))
    return status, body


def test_it_serves_and_stops() -> None:
    life = Life()
    with serving(life) as thread:
        assert get(thread.port)[0] == 200
        assert life.events == ["start"]
    assert life.events == ["start", "end"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", thread.port), timeout=5).close()
    thread.stop()


def test_both_loopback_addresses_answer_on_one_port() -> None:
    with serving() as thread:
        for address in ("127.0.0.1", "::1"):
            with connected(thread.port, address) as connection:
                connection.sendall(head_of("/", "Host: localhost"))
                assert read_head(connection)[0] == 200


def test_several_run_at_once() -> None:
    with serving() as one, serving() as two:
        assert one.port != two.port
        assert get(one.port)[0] == get(two.port)[0] == 200


def test_a_stop_breaks_what_is_open() -> None:
    before = threading.active_count()
    with contextlib.ExitStack() as connections:
        with serving() as thread:
            opened = [connections.enter_context(connected(thread.port)) for _ in range(100)]
            for connection in opened:
                connection.sendall(head_of("/hang", "Host: localhost"))
                assert read_head(connection)[0] == 200
            # One that never sent a thing, one in the middle of a request.
            connections.enter_context(connected(thread.port))
            half = connections.enter_context(connected(thread.port))
            half.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
        assert threading.active_count() == before
        for connection in opened:
            rest = b""
            with contextlib.suppress(ConnectionResetError):
                while piece := connection.recv(1000):
                    rest += piece
            assert not rest.endswith(b"0\r\n\r\n"), "the stream looks complete"


def test_a_start_that_fails_is_raised_and_leaves_nothing() -> None:
    thread = ServerThread(app, Life(start=UsageError("no runtime")), listen("127.0.0.1", 0))
    with pytest.raises(UsageError, match="no runtime"):
        thread.start()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", thread.port), timeout=5).close()


def test_a_failing_end_is_raised_by_stop() -> None:
    thread = ServerThread(app, Life(end=OSError("stuck")), listen("127.0.0.1", 0))
    thread.start()
    with pytest.raises(OSError, match="stuck"):
        thread.stop()
    thread.stop()


def test_calls_run_on_the_servers_loop() -> None:
    async def where() -> str:
        return threading.current_thread().name

    with serving() as thread:
        assert thread.call(where) == "fake-e2b"
    with pytest.raises(UsageError, match="not running"):
        thread.call(where)


def test_the_servers_own_thread_cannot_wait_for_itself() -> None:
    async def nested() -> None:
        thread.call(nested)

    with serving() as thread, pytest.raises(UsageError, match="own thread"):
        thread.call(nested)


def test_answers_are_not_held_back() -> None:
    with serving() as thread:
        assert get(thread.port, "/delay")[1].startswith(b"5\r\nFalse")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 2_000_000 + b"\r\n\r\n", 431),
    ],
    ids=["nonsense", "tls", "two-hosts", "no-host", "length", "name", "huge"],
)
def test_what_is_not_http_is_refused_and_harms_nobody(request_bytes: bytes, status: int) -> None:
    with serving() as thread:
        got, headers, body = exchange(thread.port, request_bytes)
        assert got == status
        assert headers["connection"] == "close"
        assert body.startswith(b"%d " % status)
        assert get(thread.port) == (200, b"2\r\nok\r\n0\r\n\r\n")


def test_a_big_head_is_served() -> None:
    with serving() as thread:
        head = head_of("/", "Host: localhost", "X: " + "x" * 500_000, "Connection: close")
        assert exchange(thread.port, head)[0] == 200


def test_a_connection_is_kept_for_the_next_request() -> None:
    with serving() as thread, connected(thread.port) as connection:
        for _ in range(3):
            connection.sendall(head_of("/", "Host: localhost"))
            _, _, start = read_head(connection)
            while not start.endswith(b"0\r\n\r\n"):
                start += connection.recv(100)


def _in_a_child(thread: ServerThread, done: int) -> None:
    async def nothing() -> None: ...

    try:
        thread.call(nothing)
    except UsageError:
        thread.stop()
        os.write(done, b"y")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_lets_its_parents_server_be() -> None:
    read_end, write_end = os.pipe()
    with serving() as thread:
        child = multiprocessing.get_context("fork").Process(
            target=_in_a_child, args=(thread, write_end)
        )
        child.start()
        child.join(20)
        child.close()
        os.close(write_end)
        assert os.read(read_end, 1) == b"y"
        os.close(read_end)
        assert get(thread.port)[0] == 200


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_does_not_keep_the_port_open() -> None:
    read_end, write_end = os.pipe()
    with serving() as thread:
        child = multiprocessing.get_context("fork").Process(target=os.read, args=(read_end, 1))
        child.start()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", thread.port), timeout=5).close()
    os.write(write_end, b"x")
    child.join(20)
    child.close()
    os.close(read_end)
    os.close(write_end)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.test", ""])
def test_only_loopback_is_listened_on(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(UsageError, match="can run commands"):
        listen(host, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_loopback_has_several_names(host: str) -> None:
    assert is_loopback(host)


def test_remote_hosts_need_to_be_allowed() -> None:
    sockets = listen("0.0.0.0", 0, allow_remote=True)
    try:
        assert sockets[0].getsockname()[0] == "0.0.0.0"
    finally:
        for listening in sockets:
            listening.close()


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=str(port)):
            listen("127.0.0.1", port)


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(UsageError, match=r"192\.0\.2\.1"):
        listen("192.0.2.1", 0, allow_remote=True)


async def test_it_works_beside_a_running_loop() -> None:
    thread = ServerThread(app, Life(), listen("127.0.0.1", 0))
    thread.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", thread.port)
    writer.write(head_of("/", "Host: localhost"))
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()
    thread.stop()


def test_a_client_that_leaves_ends_its_request() -> None:
    gone = threading.Event()

    async def watching(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    thread = ServerThread(watching, Life(), listen("127.0.0.1", 0))
    thread.start()
    try:
        with connected(thread.port) as connection:
            connection.sendall(head_of("/", "Host: localhost"))
        wait_until(gone.is_set)
    finally:
        thread.stop()


def test_a_client_of_http_2_is_told_to_use_1_1() -> None:
    with serving() as thread, connected(thread.port) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        seen = b""
        while piece := connection.recv(1000):
            seen += piece
        assert seen[:9] == b"\0\0\0\4\0\0\0\0\0"  # SETTINGS, which must come first
        goaway = seen[9:]
        assert goaway[3] == 7
        assert int.from_bytes(goaway[:3], "big") == len(goaway) - 9
        assert int.from_bytes(goaway[13:17], "big") == 0xD  # HTTP_1_1_REQUIRED
        assert get(thread.port)[0] == 200


def test_a_body_that_breaks_the_rules_ends_the_request() -> None:
    with serving() as thread:
        start = head_of("/", "Host: localhost", "Transfer-Encoding: chunked", method="POST")
        # Not read by the app: the answer is there before the body turns out to be broken.
        with connected(thread.port) as connection:
            connection.sendall(start + b"zz\r\n")
            assert read_head(connection)[0] in (200, 400)
        with connected(thread.port) as connection:
            hang = start.replace(b"POST /", b"POST /hang")
            connection.sendall(hang)
            assert read_head(connection)[0] == 200
            connection.sendall(b"zz\r\n")
            rest = b""
            with contextlib.suppress(ConnectionResetError):
                while piece := connection.recv(1000):
                    rest += piece
            assert b"400" not in rest, "a second answer in the middle of the first"
            assert not rest.endswith(b"0\r\n\r\n")
        assert get(thread.port)[0] == 200
