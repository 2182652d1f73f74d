"""Single frames of streams: cut, stalled, ended early, repeated, damaged; by the published SDK."""

from __future__ import annotations

import contextlib
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import httpx
import pytest
from e2b import AsyncSandbox, PtySize, Sandbox, SandboxException
from e2b.exceptions import SandboxUnreachableException, TimeoutException
from wsproto.events import Request, TextMessage

from fake_e2b import FakeE2B, UsageError, effects
from tests.helpers import websocket_service
from tests.helpers.rpc import start_process, start_raw
from tests.helpers.waiting import wait_until
from tests.helpers.websocket import websocket

CODECS = ("json", "proto")
SERVICE = Path(websocket_service.__file__).read_text()


@pytest.fixture
def sandbox(fake: FakeE2B) -> Sandbox:
    return Sandbox.create()


def test_a_stream_that_is_cut(fake: FakeE2B, sandbox: Sandbox) -> None:
    shown: list[str] = []
    fake.faults.add("Process.Start", effects.Close(), at="frame=3")
    with pytest.raises(SandboxUnreachableException):
        sandbox.commands.run(
            "echo one; echo two >&2; sleep 600",
            on_stdout=shown.append,
            on_stderr=shown.append,
            timeout=0,
        )
    assert len(shown) == 1


def test_a_stream_that_is_cut_within_a_frame(fake: FakeE2B, sandbox: Sandbox) -> None:
    shown: list[str] = []
    fake.faults.add("Process.Start", effects.HalfAnswer(), at="frame=2")
    with pytest.raises(SandboxUnreachableException):
        sandbox.commands.run("echo one; sleep 600", on_stdout=shown.append, timeout=0)
    assert shown == []


def test_a_stall_until_the_rule_is_removed(fake: FakeE2B, sandbox: Sandbox) -> None:
    shown: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        fault = fake.faults.add("Process.Start", effects.Stall(), at="frame=2")
        running = pool.submit(sandbox.commands.run, "echo one", on_stdout=shown.append)
        wait_until(lambda: fault.hits)
        assert shown == []
        fault.remove()
        assert running.result().stdout == "one\n"


def test_a_stall_for_a_time(fake: FakeE2B, sandbox: Sandbox) -> None:
    fault = fake.faults.add("Process.Start", effects.Stall(seconds=0.01), at="frame=2")
    assert sandbox.commands.run("echo one").stdout == "one\n"
    assert fault.hits == 1


async def test_a_stall_until_the_client_leaves(fake: FakeE2B, sandbox: Sandbox) -> None:
    there = await AsyncSandbox.connect(sandbox.sandbox_id)
    fake.faults.add("Process.Start", effects.Stall(), at="frame=2")
    with pytest.raises(TimeoutException):
        await there.commands.run("echo one; sleep 600", timeout=0.5)
    [asked] = fake.journal.records(operation="Process.Start")
    wait_until(lambda: asked.duration_ns is not None)


def test_what_stalls_before_its_work_is_never_done_without_a_client(fake: FakeE2B) -> None:
    fault = fake.faults.add("createSandbox", effects.Stall(), at="arrived", times=1)
    with pytest.raises((httpx.TimeoutException, TimeoutException)):
        Sandbox.create(request_timeout=0.5)
    [asked] = fake.journal.records(operation="createSandbox")
    wait_until(lambda: asked.duration_ns is not None)
    assert fault.hits == 1
    assert not fake.sandboxes()


def test_an_end_without_the_end_frame(fake: FakeE2B, sandbox: Sandbox) -> None:
    with (
        fake.faults.add("Process.Start", effects.NoEndFrame(), at="frame=2") as fault,
        pytest.raises(Exception, match="without an end event"),
    ):
        sandbox.commands.run("echo one; sleep 600", timeout=0)
    assert fault.hits == 1
    with fake.faults.add("Process.Start", effects.NoEndFrame()) as fault:
        answer = start_process(sandbox, "true", "proto")
    assert fault.hits == 1
    assert all(flags == 0 for flags, _ in answer)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("part", ["payload", "flag", "length"])
def test_a_damaged_frame(fake: FakeE2B, sandbox: Sandbox, codec: str, part: str) -> None:
    whole = start_raw(sandbox, "true", codec)
    effect = effects.Corrupt(part)  # type: ignore[arg-type]
    with fake.faults.add("Process.Start", effect, at="frame=1"):
        damaged = start_raw(sandbox, "true", codec)
    # The first frame tells the PID, which differs: compare what does not.
    size = 5 + int.from_bytes(whole[1:5], "big")
    if part == "flag":
        assert (damaged[0], whole[0]) == (0x7C, 0)
    elif part == "length":
        assert damaged[1:5] == (size - 5 ^ 1).to_bytes(4, "big")
    else:
        assert damaged[5 + (size - 5) // 2] > 0x7F


def test_damage_as_the_sdk_shows_it(fake: FakeE2B, sandbox: Sandbox) -> None:
    fake.faults.add("Process.Start", effects.Corrupt(), at="frame=2")
    with pytest.raises(SandboxException, match="could not be decoded"):
        sandbox.commands.run("echo hello")


async def test_a_frame_that_comes_twice(fake: FakeE2B, sandbox: Sandbox) -> None:
    there = await AsyncSandbox.connect(sandbox.sandbox_id)
    fake.faults.add("Process.Start", effects.Duplicate(copies=3), at="frame=2")
    assert (await there.commands.run("echo one")).stdout == "one\n" * 3


def test_a_terminal(fake: FakeE2B, sandbox: Sandbox) -> None:
    fake.faults.add("Process.Start", effects.Close(), at="frame=2", where=lambda a: "pty" in a.body)
    terminal = sandbox.pty.create(PtySize(rows=24, cols=80))
    with pytest.raises(SandboxUnreachableException):
        terminal.wait()
    assert sandbox.commands.run("echo on").stdout == "on\n"


async def test_a_watched_folder(fake: FakeE2B, sandbox: Sandbox) -> None:
    there = await AsyncSandbox.connect(sandbox.sandbox_id)
    left: list[Exception | None] = []
    fake.faults.add("Filesystem.WatchDir", effects.Close(), at="frame=2")
    watch = await there.files.watch_dir(".", lambda event: None, on_exit=left.append)
    await there.files.write("x", "y")
    await watch._wait
    assert isinstance(left[0], SandboxUnreachableException)


def test_a_download(fake: FakeE2B, sandbox: Sandbox) -> None:
    sandbox.commands.run("head -c 3000000 /dev/urandom > big")
    url = sandbox.download_url("big")
    plain = {"Accept-Encoding": "identity"}
    with (
        fake.faults.add("files.download", effects.Close(), at="frame=3"),
        pytest.raises(httpx.RemoteProtocolError),
    ):
        httpx.get(url, headers=plain)
    whole = httpx.get(url, headers=plain).content
    with fake.faults.add("files.download", effects.Corrupt(), at="frame=2"):
        damaged = httpx.get(url, headers=plain).content
    assert sum(a != b for a, b in zip(whole, damaged, strict=True)) == 1


def test_server_sent_events_of_a_port(fake: FakeE2B, sandbox: Sandbox) -> None:
    sandbox.files.write("serve.py", _EVENTS)
    sandbox.commands.run("python3 serve.py > port < /dev/null 2>&1 &")
    port = int(wait_until(lambda: sandbox.files.read("port").strip()))
    url = f"http://{sandbox.get_host(port)}/"
    assert httpx.get(url).text == "data: 1\n\ndata: 2\n\ndata: 3\n\n"
    with fake.faults.add("port", effects.Duplicate(), at="frame=2", port=port):
        assert httpx.get(url).text == "data: 1\n\ndata: 2\n\ndata: 2\n\ndata: 3\n\n"
    seen: list[str] = []
    with (
        fake.faults.add("port", effects.Close(), at="frame=3", port=port),
        httpx.stream("GET", url) as answer,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        seen.extend(answer.iter_text())
    assert "".join(seen) == "data: 1\n\ndata: 2\n\n"


@pytest.fixture
def request_to_switch(sandbox: Sandbox) -> Request:
    """To a WebSocket of the sandbox that says what it hears."""
    sandbox.files.write("service.py", SERVICE)
    sandbox.commands.run("python3 service.py 0 127.0.0.1 > port 2> errors < /dev/null &")
    port = int(wait_until(lambda: sandbox.files.read("port").strip()))
    return Request(host=sandbox.get_host(port), target="/")


def test_a_web_socket_after_its_switch(fake: FakeE2B, request_to_switch: Request) -> None:
    request = request_to_switch
    fault = fake.faults.add("port", effects.Close(), at="frame=2")
    with websocket(fake.port, request) as client:
        client.send(TextMessage("one"))
        assert client.message() == "one"
        client.send(TextMessage("two"))
        with pytest.raises(ConnectionResetError):
            client.next()
    fault.remove()
    fault = fake.faults.add("port", effects.Stall(), at="frame=1")
    with websocket(fake.port, request) as client:
        client.send(TextMessage("one"))
        wait_until(lambda: fault.hits)
        fault.remove()
        assert client.message() == "one"


@pytest.mark.parametrize("effect", [effects.Chunks(), effects.Drip(size=3, every_s=0)])
def test_a_web_socket_in_pieces(
    fake: FakeE2B, request_to_switch: Request, effect: effects.Effect
) -> None:
    fault = fake.faults.add("port", effect)
    with websocket(fake.port, request_to_switch) as client:
        client.send(TextMessage("one" * 100))
        assert client.message() == "one" * 100
        client.send(TextMessage("two"))
        assert client.message() == "two"
    assert fault.hits == 1


def test_a_web_socket_that_breaks_within_a_frame(fake: FakeE2B, request_to_switch: Request) -> None:
    fault = fake.faults.add("port", effects.HalfAnswer(share=0.5))
    with websocket(fake.port, request_to_switch) as client:
        client.send(TextMessage("one" * 20))
        heard = b""
        while data := client.connection.recv(1 << 16):
            heard += data
    assert heard == b"\x81\x3c" + (b"one" * 20)[: (60 + 2) // 2 - 2]
    assert fault.hits == 1


@pytest.mark.parametrize("beside", ["", "before", "after"])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_web_socket_on_a_slow_line(
    fake: FakeE2B, request_to_switch: Request, direction: Literal["up", "down"], beside: str
) -> None:
    size = 2_000  # half an hour at a byte a second
    fast = effects.Bandwidth(1 << 30, direction=direction)
    if beside == "before":
        fake.faults.add("port", fast)
    fault = fake.faults.add("port", effects.Bandwidth(1, direction=direction), times=1)
    if beside == "after":
        fake.faults.add("port", fast)
    with websocket(fake.port, request_to_switch) as slow:
        slow.send(TextMessage("x" * size))
        with websocket(fake.port, request_to_switch) as other:
            for _ in range(20):  # until what is not slowed down would have come long ago
                other.send(TextMessage("y" * size))
                assert other.message() == "y" * size
        arrived = b""
        patience_s = slow.connection.gettimeout()
        slow.connection.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            arrived = slow.connection.recv(size, socket.MSG_PEEK)
        slow.connection.settimeout(patience_s)
        assert len(arrived) < size
        fault.remove()
        assert slow.message() == "x" * size
    assert fault.hits == 1


def test_messages_that_no_web_socket_has(fake: FakeE2B, request_to_switch: Request) -> None:
    fault = fake.faults.add("port", effects.MalformedJson())
    with websocket(fake.port, request_to_switch) as client:
        client.send(TextMessage('{"a": 1}'))
        assert client.message() == '{"a": 1}'
    assert fault.hits == 0


def test_keepalives_that_never_come(fake: FakeE2B, sandbox: Sandbox) -> None:
    fault = fake.faults.add("Process.Start", effects.DropKeepalives())
    with ThreadPoolExecutor(2) as pool:
        # Asked for every second, so one falls due.
        silent = [pool.submit(start_process, sandbox, "sleep 1.3", codec, 1) for codec in CODECS]
        assert [len(each.result()) for each in silent] == [3, 3]  # start, end, the stream's end
    assert fault.hits == 2


@pytest.mark.parametrize(
    ("operation", "effect", "at", "text"),
    [
        ("createSandbox", effects.Close(), "frame=2", "answers in one frame"),
        ("files.upload", effects.Duplicate(), "frame=3", "answers in one frame"),
        ("createSandbox", effects.NoEndFrame(), None, "can never act on createSandbox"),
        ("files.*", effects.DropKeepalives(), None, "can never act on files"),
        ("execute", effects.Corrupt("flag"), "frame=1", "corrupt of the flag can never act"),
        ("Process.Start", effects.Duplicate(), "done", "it acts at frame=n"),
    ],
)
def test_what_can_never_be_is_refused(
    fake: FakeE2B, operation: str, effect: effects.Effect, at: str | None, text: str
) -> None:
    with pytest.raises(UsageError, match=text):
        fake.faults.add(operation, effect, at=at)
    assert not fake.faults.list()


_EVENTS = """
import http.server, socketserver
class Events(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in (b"data: 1\\n\\nda", b"ta: 2\\n", b"\\ndata: 3\\n\\n"):
            self.wfile.write(b"%x\\r\\n%s\\r\\n" % (len(piece), piece))
        self.wfile.write(b"0\\r\\n\\r\\n")
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Events)
print(server.server_port, flush=True)
server.serve_forever()
"""
