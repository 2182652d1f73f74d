"""WebSockets into a sandbox, by a real client's protocol."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path

import pytest
from e2b import Sandbox
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, Request, TextMessage

from fake_e2b import FakeE2B
from tests.helpers import websocket_service
from tests.helpers.http import connected, head_of, read_answer, read_head
from tests.helpers.waiting import wait_until
from tests.helpers.websocket import WebSocket, websocket
from tests.sdk.python.conftest import Service

SOURCE = Path(websocket_service.__file__).read_text()


def start(fake: FakeE2B, sandbox: Sandbox, port: int = 0, bind: str = "127.0.0.1") -> Service:
    sandbox.files.write("websocket_service.py", SOURCE)
    sandbox.commands.run(
        f"python3 websocket_service.py {port} {bind} > ws-port 2> ws-errors < /dev/null &"
    )
    return Service(fake, sandbox, int(wait_until(lambda: sandbox.files.read("ws-port").strip())))


@pytest.fixture
def sockets(fake: FakeE2B) -> Service:
    return start(fake, Sandbox.create())


def request(service: Service, target: str = "/", **more: object) -> Request:
    host = service.sandbox.get_host(service.port)
    return Request(host=host, target=target, **more)  # type: ignore[arg-type]


def test_texts_bytes_and_fragments_come_back_as_they_were(sockets: Service) -> None:
    with websocket(sockets.fake.port, request(sockets)) as client:
        client.send(TextMessage("grüße"))
        assert client.message() == "grüße"
        client.send(BytesMessage(bytes(range(256))))
        assert client.message() == bytes(range(256))
        client.send(TextMessage("one ", message_finished=False))
        first = client.expect(TextMessage)
        assert (first.data, first.message_finished) == ("one ", False)
        client.send(TextMessage("two", message_finished=True))
        second = client.expect(TextMessage)
        assert (second.data, second.message_finished) == ("two", True)
        client.send(TextMessage(""))
        assert client.message() == ""


def test_pings_are_answered_in_both_directions(sockets: Service) -> None:
    with websocket(sockets.fake.port, request(sockets)) as client:
        client.send(Ping(b"a"))
        assert client.expect(Pong).payload == b"a"
        client.send(TextMessage("ping"))
        ping = client.expect(Ping)
        client.send(ping.response())
        assert client.message() == "pong:are you there"


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999])
def test_either_side_closes_with_a_code_and_a_reason(sockets: Service, code: int) -> None:
    with websocket(sockets.fake.port, request(sockets)) as client:
        client.send(CloseConnection(code, "good bye"))
        answer = client.expect(CloseConnection)
        assert (answer.code, answer.reason) == (code, "good bye")
        assert client.connection.recv(10) == b""
    with websocket(sockets.fake.port, request(sockets)) as client:
        client.send(TextMessage(f"close:{code}:enough"))
        asked = client.expect(CloseConnection)
        assert (asked.code, asked.reason) == (code, "enough")


def test_the_handshake_reaches_the_service(sockets: Service) -> None:
    asked = request(
        sockets,
        "/chat/room%20one?token=a%2Fb",
        subprotocols=["chat.v2", "chat.v1"],
        extra_headers=[(b"Cookie", b"a=b"), (b"Origin", b"https://app.example")],
    )
    with websocket(sockets.fake.port, asked) as client:
        client.send(TextMessage("headers"))
        told = json.loads(str(client.message()))
    assert told["target"] == "/chat/room%20one?token=a%2Fb"
    headers = told["headers"]
    assert headers["host"] == sockets.sandbox.get_host(sockets.port)
    assert headers["origin"] == "https://app.example"
    assert headers["cookie"] == "a=b"
    assert headers["sec-websocket-protocol"] == "chat.v2, chat.v1"
    assert headers["sec-websocket-version"] == "13"
    assert headers["connection"] == "Upgrade"


def test_routing_headers_find_it_too(sockets: Service) -> None:
    routed = Request(
        host=f"127.0.0.1:{sockets.fake.port}",
        target="/",
        extra_headers=[
            (b"E2b-Sandbox-Id", sockets.sandbox.sandbox_id.encode()),
            (b"E2b-Sandbox-Port", b"%d" % sockets.port),
        ],
    )
    with websocket(sockets.fake.port, routed) as client:
        client.send(TextMessage("here"))
        assert client.message() == "here"


def test_large_messages_pass_in_both_directions_at_once(sockets: Service) -> None:
    message = bytes(range(256)) * 4096 * 5
    with websocket(sockets.fake.port, request(sockets)) as client:
        # Nobody reads yet: whoever sends must not be stuck for ever behind whoever does not read.
        sender = threading.Thread(target=client.send, args=(BytesMessage(message),))
        sender.start()
        assert client.message() == message
        sender.join()
        client.send(TextMessage("flood:200"))
        assert sum(len(client.message()) for _ in range(200)) == 200 * 65536


def test_a_closed_port_refuses_the_handshake(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    with connected(fake.port) as connection:
        client = WebSocket(connection)
        client.send(Request(host=sandbox.get_host(1), target="/"))
        status, _, body = read_answer(connection)
        assert (status, json.loads(body)["port"]) == (502, 1)


def test_a_handshake_needs_the_traffic_token(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(network={"allow_public_traffic": False})
    service = start(fake, sandbox)
    with connected(fake.port) as connection:
        client = WebSocket(connection)
        client.send(request(service))
        assert read_answer(connection)[0] == 403
    token = (sandbox.traffic_access_token or "").encode()
    allowed = request(service, extra_headers=[(b"e2b-traffic-access-token", token)])
    with websocket(fake.port, allowed) as client:
        client.send(TextMessage("in"))
        assert client.message() == "in"


def test_many_at_once_do_not_mix(sockets: Service) -> None:
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(websocket(sockets.fake.port, request(sockets))) for _ in range(200)
        ]
        for number, client in enumerate(clients):
            client.send(TextMessage(f"I am {number}"))
        for number, client in enumerate(clients):
            assert client.message() == f"I am {number}"
        # Ordinary requests go on beside them.
        head = head_of("/health", f"Host: {sockets.sandbox.get_host(49983)}")
        with connected(sockets.fake.port) as connection:
            connection.sendall(head)
            assert read_head(connection)[0] == 204


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_they_break_when_the_sandbox_goes(sockets: Service, how: str) -> None:
    with websocket(sockets.fake.port, request(sockets)) as client:
        client.send(TextMessage("hello"))
        assert client.message() == "hello"
        getattr(sockets.sandbox, how)()
        with pytest.raises(ConnectionError):
            client.next()


def test_they_wake_a_paused_sandbox(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(lifecycle={"on_timeout": "pause", "auto_resume": True})
    service = start(fake, sandbox)
    sandbox.pause()
    with websocket(fake.port, request(service)) as client:
        client.send(TextMessage("awake"))
        assert client.message() == "awake"
