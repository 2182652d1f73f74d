from __future__ import annotations

import asyncio
import socket
import struct
import sys

import pytest

from fake_e2b.server.peer import is_held
from tests.helpers.waiting import wait_until_async

linux = pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")


class Ends(asyncio.BaseTransport):
    """The two addresses of a connection, as a transport knows them."""

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__({
            "peername": accepted.getpeername(), "sockname": accepted.getsockname(),
        })  # fmt: skip


@linux
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_half_closed_is_held_and_closed_is_not(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as listener:
        with socket.create_connection(listener.getsockname()[:2]) as client:
            accepted, _ = listener.accept()
            ends = Ends(accepted)
            assert is_held(ends)
            client.shutdown(socket.SHUT_WR)
            assert is_held(ends)
        await wait_until_async(lambda: is_held(ends) is False)
        accepted.close()


@linux
async def test_a_connection_that_was_reset_is_not_held() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        ends = Ends(accepted)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        await wait_until_async(lambda: is_held(ends) is False)
        accepted.close()


def test_nobody_can_tell_about_other_machines() -> None:
    class Remote(asyncio.BaseTransport):
        def get_extra_info(self, name: str, default: object = None) -> object:
            return ("192.0.2.1", 80)

    assert is_held(Remote()) is None
    assert is_held(asyncio.BaseTransport()) is None
