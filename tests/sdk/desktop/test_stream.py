"""The desktop over VNC: noVNC's page, and the WebSocket behind it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from e2b_desktop import Sandbox
from wsproto.events import BytesMessage, Request

from fake_e2b import FakeE2B
from tests.helpers.http import exchange, head_of
from tests.helpers.waiting import wait_until
from tests.helpers.websocket import websocket


@pytest.fixture
def streamed(desktop: Sandbox) -> Iterator[Sandbox]:
    yield desktop
    stop(desktop)


def stop(desktop: Sandbox) -> None:
    """Until the server has ended: the SDK does not wait for that."""
    desktop.stream.stop()
    wait_until(lambda: desktop.commands.run("pgrep -x x11vnc || true").stdout == "")


def greeting(fake: FakeE2B, desktop: Sandbox) -> tuple[str, bytes]:
    """What the VNC server says, and the kinds of login that it offers."""
    request = Request(host=desktop.get_host(6080), target="/websockify", subprotocols=["binary"])
    with websocket(fake.port, request) as socket:
        version = socket.message()
        assert isinstance(version, bytes)
        socket.send(BytesMessage(version))
        offered = socket.message()
        assert isinstance(offered, bytes)
        return version.decode(), offered


def test_a_stream_is_reached_through_the_sandboxs_host(
    isolated: FakeE2B, streamed: Sandbox
) -> None:
    streamed.stream.start()
    url = urlsplit(streamed.stream.get_url(view_only=True))
    assert (url.scheme, url.netloc) == ("https", streamed.get_host(6080))
    assert parse_qs(url.query) == {
        "autoconnect": ["true"],
        "view_only": ["true"],
        "resize": ["scale"],
    }
    head = head_of(url.path, f"Host: {url.netloc}", "Connection: close")
    status, _, body = exchange(isolated.port, head)
    assert status == 200
    assert b"noVNC" in body
    version, offered = greeting(isolated, streamed)
    assert version.startswith("RFB 003.")
    assert offered[1:] == b"\x01" or b"\x01" in offered[1:]  # none is asked for
    with pytest.raises(RuntimeError, match="already running"):
        streamed.stream.start()


def test_a_stream_can_ask_for_a_password(isolated: FakeE2B, streamed: Sandbox) -> None:
    with pytest.raises(RuntimeError, match="require_auth"):
        streamed.stream.get_auth_key()
    streamed.stream.start(require_auth=True)
    key = streamed.stream.get_auth_key()
    assert len(key) == 16
    assert f"password={key}" in streamed.stream.get_url(auth_key=key)
    _, offered = greeting(isolated, streamed)
    assert offered[1:] == b"\x02"


def test_a_stream_starts_again(isolated: FakeE2B, streamed: Sandbox) -> None:
    streamed.stream.start()
    stop(streamed)
    streamed.stream.start()
    assert greeting(isolated, streamed)[0].startswith("RFB")
