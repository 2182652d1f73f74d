"""What clients see when a sandbox goes while they are connected."""

from __future__ import annotations

import contextlib
import json
import socket

import pytest
from e2b import Sandbox
from e2b.exceptions import SandboxNotRunningException

from fake_e2b import FakeE2B
from tests.helpers.http import connected, exchange, head_of, read_head
from tests.sdk.python.conftest import start_service


def test_a_kill_breaks_a_running_command(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    command = sandbox.commands.run("echo started; sleep 600", background=True, timeout=0)
    assert next(iter(command))[0] == "started\n"
    Sandbox.kill(sandbox.sandbox_id)
    with pytest.raises(SandboxNotRunningException, match="was killed"):
        command.wait()


def test_a_pause_breaks_it_too(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    command = sandbox.commands.run("echo started; sleep 600", background=True, timeout=0)
    assert next(iter(command))[0] == "started\n"
    sandbox.pause()
    with pytest.raises(SandboxNotRunningException):
        command.wait()


def test_other_sandboxes_do_not_notice(fake: FakeE2B) -> None:
    killed, other = Sandbox.create(), Sandbox.create()
    command = other.commands.run("read line; echo got $line", background=True, stdin=True)
    killed.kill()
    other.commands.send_stdin(command.pid, "this\n")
    assert command.wait().stdout == "got this\n"


def rest_of(connection: socket.socket) -> bytes:
    """What still comes, up to the end of the connection, whichever way it ends."""
    rest = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            rest += piece
    return rest


def test_every_kind_of_stream_is_cut_and_then_nobody_is_there(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    service = start_service(fake, sandbox)
    with (
        connected(fake.port) as events,
        connected(fake.port) as tunnel,
        connected(fake.port) as upload,
    ):
        events.sendall(head_of("/events", service.host))
        assert read_head(events)[0] == 200
        tunnel.sendall(head_of("/", service.host, "Connection: Upgrade", "Upgrade: any"))
        assert read_head(tunnel)[0] == 101
        upload.sendall(
            head_of(
                "/files?path=half.txt",
                f"Host: {sandbox.get_host(49983)}",
                f"X-Access-Token: {sandbox.connection_config.sandbox_headers['X-Access-Token']}",
                "Content-Type: application/octet-stream",
                "Content-Length: 1000",
                method="POST",
            )
            + b"half"
        )
        Sandbox.kill(sandbox.sandbox_id)
        assert b"0\r\n\r\n" not in rest_of(events), "the stream looks complete"
        rest_of(tunnel)
        assert not rest_of(upload).startswith(b"HTTP/1.1 200")
    for port in (49983, service.port):
        head = head_of("/health", f"Host: {sandbox.get_host(port)}", "Connection: close")
        status, _, body = exchange(fake.port, head)
        assert status == 502
        assert json.loads(body)["message"] == "The sandbox was not found"


def test_a_stop_breaks_open_streams() -> None:
    with contextlib.ExitStack() as connections:
        with FakeE2B(runtime="local") as fake:
            sandbox = Sandbox.create()
            command = sandbox.commands.run("echo started; sleep 600", background=True, timeout=0)
            assert next(iter(command))[0] == "started\n"
            opened = []
            for _ in range(100):
                connection = connections.enter_context(connected(fake.port))
                start = json.dumps(
                    {"process": {"cmd": "/bin/sleep", "args": ["600"]}, "stdin": False}
                ).encode()
                envelope = b"\0" + len(start).to_bytes(4, "big") + start
                connection.sendall(
                    head_of(
                        "/process.Process/Start",
                        f"Host: {sandbox.get_host(49983)}",
                        "X-Access-Token: "
                        + sandbox.connection_config.sandbox_headers["X-Access-Token"],
                        "Content-Type: application/connect+json",
                        "Connect-Protocol-Version: 1",
                        f"Content-Length: {len(envelope)}",
                        method="POST",
                    )
                    + envelope
                )
                opened.append(connection)
            for connection in opened:
                assert read_head(connection)[0] == 200
        for connection in opened:
            assert not rest_of(connection).endswith(b"0\r\n\r\n")
