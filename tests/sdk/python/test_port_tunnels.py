"""Connections into a sandbox that became something else than HTTP."""

from __future__ import annotations

import contextlib
import json
import socket

from tests.helpers.http import connected, head_of, read_answer, read_head
from tests.sdk.python.conftest import Service

UPGRADE = ("Connection: Upgrade", "Upgrade: any")


def everything(connection: socket.socket) -> bytes:
    seen = bytearray()
    while piece := connection.recv(1 << 20):
        seen += piece
    return bytes(seen)


def test_a_client_that_has_ended_its_side_gets_what_the_service_says_then(
    service: Service,
) -> None:
    with connected(service.fake.port) as connection:
        connection.sendall(head_of("/", service.host, *UPGRADE, "Mode: late"))
        assert read_head(connection)[0] == 101
        connection.sendall(b"x" * 3_000_000)
        connection.shutdown(socket.SHUT_WR)
        assert everything(connection) == b"3000000"


def test_an_end_that_comes_with_the_request_counts_too(service: Service) -> None:
    with connected(service.fake.port) as connection:
        connection.sendall(head_of("/", service.host, *UPGRADE, "Mode: late") + b"early")
        connection.shutdown(socket.SHUT_WR)
        status, _, seen = read_head(connection)
        assert status == 101
        assert seen + everything(connection) == b"5"


def test_a_switch_to_something_else_is_refused(service: Service) -> None:
    with connected(service.fake.port) as connection:
        connection.sendall(head_of("/", service.host, *UPGRADE, "Mode: other"))
        status, _, body = read_answer(connection)
        assert (status, json.loads(body)["port"]) == (502, service.port)


def test_http_2_in_clear_text_is_not_switched_to(service: Service) -> None:
    with connected(service.fake.port) as connection:
        connection.sendall(
            head_of(
                "/",
                service.host,
                "Connection: Upgrade, HTTP2-Settings",
                "Upgrade: h2c",
                "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
            )
        )
        status, _, body = read_answer(connection)
        assert status == 200
        seen = {name.lower() for name, _ in json.loads(body)["headers"]}
        assert not seen & {"upgrade", "http2-settings"}


def test_who_reads_slowly_slows_the_other_side_down(service: Service) -> None:
    """Nobody gathers what the other side does not take: sending stops."""
    with connected(service.fake.port) as connection:
        connection.sendall(head_of("/", service.host, *UPGRADE))
        assert read_head(connection)[0] == 101
        connection.settimeout(1)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 200_000_000:
                sent += connection.send(b"x" * 65536)
        assert sent < 200_000_000
        connection.settimeout(20)
        connection.shutdown(socket.SHUT_WR)
        assert len(everything(connection)) == sent
