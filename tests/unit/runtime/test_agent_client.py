"""The server's side of an agent that is not to be trusted."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from fake_e2b.runtime.guest.client import AgentClient, AgentGoneError


def frame(body: bytes, fd_count: int = 0) -> bytes:
    return struct.pack("!IB", len(body), fd_count) + body


@pytest.mark.parametrize(
    "said",
    [
        b"\xff\xff\xff\xff\x00",  # four gigabytes are to follow
        frame(b"no JSON"),
        frame(b"\xff\xfe"),
        frame(b"[1]"),
        frame(b"null"),
        frame(b'{"neither": 1}'),
        frame(b'{"exit": 1}'),
        frame(b'{"re": []}'),
        frame(b'{"re": 0}', 3),  # without the descriptors
    ],
)
async def test_who_does_not_speak_in_frames_is_gone(said: bytes) -> None:
    ours, theirs = socket.socketpair()
    client = AgentClient(ours)
    told = asyncio.Event()
    client.on_gone = told.set
    with theirs:
        asked = asyncio.ensure_future(client.call("ping"))
        await asyncio.sleep(0)
        theirs.sendall(said)
        async with asyncio.timeout(20):
            with pytest.raises(AgentGoneError):
                await asked
            await told.wait()
        assert client.gone
        theirs.settimeout(20)
        while theirs.recv(4096):  # its request, and then that nobody listens
            pass
