"""HTTP at the level of bytes: what libraries would hide or refuse to send."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Iterator

TIMEOUT_S = 20.0


@contextlib.contextmanager
def connected(port: int, address: str = "127.0.0.1") -> Iterator[socket.socket]:
    """A connection to a port of this machine."""
    with socket.create_connection((address, port), timeout=TIMEOUT_S) as connection:
        yield connection


@contextlib.contextmanager
def secured(
    port: int, ca_file: str, name: str = "localhost", protocols: tuple[str, ...] = ()
) -> Iterator[ssl.SSLSocket]:
    """The same over TLS, as a client that trusts one authority only and notices every broken end.

    Args:
        protocols: What to offer by ALPN.
    """
    context = ssl.create_default_context(cafile=ca_file)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    with (
        connected(port) as plain,
        context.wrap_socket(plain, server_hostname=name, suppress_ragged_eofs=False) as connection,
    ):
        yield connection


def head_of(target: str, *headers: str, method: str = "GET") -> bytes:
    """The head of a request."""
    return "\r\n".join([f"{method} {target} HTTP/1.1", *headers, "", ""]).encode("latin-1")


def exchange(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes, read one whole answer that ends with the connection or its length."""
    with connected(port) as connection:
        connection.sendall(request)
        return read_answer(connection)


def read_head(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (names in lower case), and what came behind them."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionResetError(f"closed after {data!r}")
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return int(first.split(" ")[1]), headers, rest


def read_answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """One whole answer: by its length where it has one, else up to the connection's end."""
    status, headers, start = read_head(connection)
    length = int(headers["content-length"]) if "content-length" in headers else None
    body = bytearray(start)
    while length is None or len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            break
        body += piece
    return status, headers, bytes(body)


def both_ways(connection: ssl.SSLSocket, sent: bytes, size: int) -> bytes:
    """Send while reading `size` bytes, from one thread: two may not use one TLS state at once."""
    got, position = bytearray(), 0
    deadline = time.monotonic() + TIMEOUT_S
    connection.setblocking(False)
    try:
        while len(got) < size:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(got)} of {size} bytes came, {position} were sent")
            before = len(got), position
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                got += connection.recv(65536)
            if piece := sent[position : position + 16384]:
                with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    position += connection.send(piece)
            if before == (len(got), position):
                select.select([connection], [connection] if piece else [], [], 1)
    finally:
        connection.settimeout(TIMEOUT_S)
    return bytes(got)
