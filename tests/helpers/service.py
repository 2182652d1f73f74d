"""A service to run inside a sandbox: standard library only, one thread a connection.

    python3 service.py PORT [BIND [CERTIFICATE-AND-KEY]]

Paths: `/echo` answers with the request as JSON; `/upload` with the number of bytes received;
`/count/N` with N bytes; `/events` sends two server-sent events and holds the stream open;
`/half` breaks in the middle of its body; `/silent` closes without an answer; `/status/N`;
`/early` answers before it reads the body; `/hints` sends a 103 first; `/trailers` ends with one;
`/raw?HEX[&stay]` sends these bytes, then closes or waits for the client's end; `/duplex` sends
the body's pieces back while they come; `/crash` ends the program in the middle of an answer;
`/late/MS` answers after so many milliseconds.

Some leave a note in a file: `/watched` says `start`, and notes in `noted` how the client went;
`/hold` does so without an answer, after a note in `held`; `/whole` notes in `whole` whether the
body came whole, and how much of it; `/flood` sends until nobody takes any more, and notes in `sent`
how much.

An upgrade to anything is accepted and echoed byte for byte; with `Mode: late` the service waits for
the client's end and then says how much came; with `Mode: other` it switches to something else.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import sys
import threading
import time
from typing import BinaryIO

CHUNK = b"x" * 65536


def head(connection: socket.socket, status: str, *headers: str) -> None:
    lines = [f"HTTP/1.1 {status}", *headers, "", ""]
    connection.sendall("\r\n".join(lines).encode())


def read_body(stream: BinaryIO, headers: list[tuple[str, str]]) -> int:
    lower = {name.lower(): value for name, value in headers}
    total = 0
    if lower.get("transfer-encoding") == "chunked":
        while True:
            line = stream.readline()
            if not line:
                raise EOFError(total)
            if not (size := int(line, 16)):
                return total
            total += len(stream.read(size))
            stream.readline()
    left = int(lower.get("content-length", "0"))
    while left and (data := stream.read(min(left, 65536))):
        left -= len(data)
        total += len(data)
    if left:
        raise EOFError(total)
    return total


def serve(connection: socket.socket) -> None:
    stream = connection.makefile("rb")
    method, target, _ = stream.readline().decode().split(" ", 2)
    headers = []
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers.append((name, value.strip()))
    path = target.partition("?")[0]
    lower = {name.lower(): value for name, value in headers}
    if "upgrade" in lower:
        protocol = lower.get("sec-websocket-protocol", "")
        head(
            connection,
            "101 Switching Protocols",
            "Connection: Upgrade",
            f"Upgrade: {'other' if lower.get('mode') == 'other' else lower['upgrade']}",
            f"X-Protocol: {protocol}",
        )
        if lower.get("mode") == "late":
            came = len(stream.read())
            connection.sendall(b"%d" % came)
            return
        while data := stream.read1():
            connection.sendall(data)
        return
    if path == "/silent":
        return
    if path == "/early":
        head(connection, "413 Content Too Large", "Content-Length: 0", "Connection: close")
        connection.shutdown(socket.SHUT_WR)
        stream.read()
        return
    if path == "/duplex":
        head(connection, "200 OK", "Transfer-Encoding: chunked")
        while size := int(stream.readline(), 16):
            connection.sendall(b"%x\r\n%s\r\n" % (size, stream.read(size)))
            stream.readline()
        connection.sendall(b"0\r\n\r\n")
        return
    if path == "/whole":
        try:
            note("whole", f"whole {read_body(stream, headers)}")
        except (OSError, ValueError, EOFError) as error:
            note("whole", f"half {error}")
        return
    received = read_body(stream, headers)
    if path == "/upload":
        text = str(received)
        head(connection, "200 OK", f"Content-Length: {len(text)}")
        connection.sendall(text.encode())
    elif path.startswith("/count/"):
        left = int(path.removeprefix("/count/"))
        head(connection, "200 OK", f"Content-Length: {left}")
        while left:
            piece = CHUNK[:left]
            connection.sendall(piece)
            left -= len(piece)
    elif path == "/events":
        head(connection, "200 OK", "Content-Type: text/event-stream")
        connection.sendall(b"data: one\n\n")
        connection.sendall(b"data: two\n\n")
        stream.read()
    elif path == "/half":
        head(connection, "200 OK", "Transfer-Encoding: chunked")
        connection.sendall(b"4\r\nhalf\r\n")
    elif path == "/trailers":
        head(connection, "200 OK", "Transfer-Encoding: chunked", "Trailer: X-Sum")
        connection.sendall(b"4\r\nbody\r\n0\r\nX-Sum: 4\r\n\r\n")
    elif path.startswith("/status/"):
        status = path.removeprefix("/status/")
        head(connection, f"{status} Text", "Content-Length: 4", "Location: http://localhost/x")
        connection.sendall(b"text")
    elif path == "/raw":
        what, _, then = target.partition("?")[2].partition("&")
        connection.sendall(bytes.fromhex(what))
        if then:
            stream.read()
    elif path == "/watched":
        head(connection, "200 OK", "Content-Type: text/event-stream")
        connection.sendall(b"start")
        note("noted", "ended" if stream.read() == b"" else "sent more")
    elif path == "/hold":
        note("held", "yes")
        note("noted", "ended" if stream.read() == b"" else "sent more")
    elif path == "/flood":
        head(connection, "200 OK", "Content-Type: application/octet-stream")
        connection.settimeout(0.3)
        sent = 0
        try:
            while True:
                sent += connection.send(CHUNK)
        except TimeoutError:
            note("sent", str(sent))
            stream.read()
    elif path == "/crash":
        head(connection, "200 OK", "Content-Length: 1000")
        connection.sendall(b"half")
        os._exit(1)
    elif path.startswith("/late/"):
        time.sleep(int(path.removeprefix("/late/")) / 1000)
        head(connection, "200 OK", "Content-Length: 4")
        connection.sendall(b"late")
    elif path == "/hints":
        head(connection, "103 Early Hints", "Link: </style.css>")
        head(connection, "204 No Content")
    else:
        body = json.dumps({"method": method, "target": target, "headers": headers}).encode()
        head(
            connection,
            "200 OK",
            f"Content-Length: {len(body)}",
            "Set-Cookie: a=1",
            "Set-Cookie: b=2",
            "Keep-Alive: timeout=9",
            "Connection: X-Hop",
            "X-Hop: 1",
            "X-Kept: 2",
        )
        if method != "HEAD":
            connection.sendall(body)


def note(name: str, text: str) -> None:
    """Leave it to be read from outside, whole or not at all."""
    with open(name + ".new", "w") as file:
        file.write(text)
    os.rename(name + ".new", name)


def handle(connection: socket.socket) -> None:
    with connection:
        try:
            if isinstance(connection, ssl.SSLSocket):
                connection.do_handshake()
            serve(connection)
        except (OSError, EOFError):
            return


if __name__ == "__main__":
    bind = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    listener = socket.create_server((bind, int(sys.argv[1])), family=family, backlog=512)
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3])
        listener = context.wrap_socket(listener, server_side=True, do_handshake_on_connect=False)
    print(listener.getsockname()[1], flush=True)
    while True:
        accepted, _ = listener.accept()
        threading.Thread(target=handle, args=(accepted,), daemon=True).start()
