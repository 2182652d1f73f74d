"""Whether the program at the other end of a connection on this machine still holds its socket.

A client that has only ended its side and one that is gone look alike: both say that nothing more
comes. Linux tells about its own sockets which of them no program holds any more.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import struct

_NETLINK = getattr(socket, "AF_NETLINK", None)
_SOCK_DIAG = 4
_BY_FAMILY, _ERROR, _REQUEST = 20, 2, 1
_HEADER = struct.Struct("=IHHII")
_ANY_STATE = 0xFFFFFFFF
_NO_COOKIE = b"\xff" * 8
_INODE_AT = _HEADER.size + 4 + 48 + 16


def is_held(transport: asyncio.BaseTransport) -> bool | None:
    """Whether the client of an accepted connection still holds it; None where nobody can tell."""
    peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
    if _NETLINK is None or not peer or not own:
        return None
    try:
        # Only then it is a socket of this machine, and of this network namespace.
        if not ipaddress.ip_address(peer[0]).is_loopback:
            return None
        return _ask(peer, own)
    except (OSError, ValueError, struct.error):
        return None


def _ask(peer: tuple[str, int], own: tuple[str, int]) -> bool | None:
    family = socket.AF_INET6 if ":" in peer[0] else socket.AF_INET
    addresses = [socket.inet_pton(family, end[0]).ljust(16, b"\0") for end in (peer, own)]
    question = (
        struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, _ANY_STATE)
        + struct.pack("!HH", peer[1], own[1])
        + b"".join(addresses)
        + struct.pack("=I", 0)
        + _NO_COOKIE
    )
    header = _HEADER.pack(_HEADER.size + len(question), _BY_FAMILY, _REQUEST, 1, 0)
    with socket.socket(_NETLINK or 0, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
        kernel.settimeout(0.1)
        kernel.send(header + question)
        answer = kernel.recv(4096)
    _, kind, _, _, _ = _HEADER.unpack_from(answer)
    if kind == _ERROR:
        (number,) = struct.unpack_from("=i", answer, _HEADER.size)
        return False if -number == errno.ENOENT else None
    (inode,) = struct.unpack_from("=I", answer, _INODE_AT)
    return bool(inode)
