"""A WebSocket server to run inside a sandbox: standard library only, one thread a connection.

    python3 websocket_service.py PORT [BIND]

Messages are echoed frame by frame, as they were fragmented. `close:CODE:REASON` closes with these;
`flood:N` sends N binary messages of 64 KiB; `headers` tells what the handshake asked for. Pings
are answered, and `ping` sends one. A close is answered with the code that came.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import sys
import threading
from typing import BinaryIO

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    first = bytes([opcode | (0x80 if final else 0)])
    if len(payload) < 126:
        return first + bytes([len(payload)]) + payload
    if len(payload) < 1 << 16:
        return first + b"\x7e" + len(payload).to_bytes(2, "big") + payload
    return first + b"\x7f" + len(payload).to_bytes(8, "big") + payload


def read_frame(stream: BinaryIO) -> tuple[int, bool, bytes]:
    """Opcode, whether it is the message's last, payload."""
    first, second = exactly(stream, 2)
    length = second & 0x7F
    if length >= 126:
        length = int.from_bytes(exactly(stream, 2 if length == 126 else 8), "big")
    mask = exactly(stream, 4) if second & 0x80 else b""
    payload = exactly(stream, length)
    if mask:
        times = length // 4 + 1
        key = int.from_bytes((mask * times)[:length], "big")
        payload = (int.from_bytes(payload, "big") ^ key).to_bytes(length, "big")
    return first & 0x0F, bool(first & 0x80), payload


def exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def serve(connection: socket.socket) -> None:
    stream = connection.makefile("rb")
    target = stream.readline().split(b" ")[1].decode()
    headers = {}
    while line := stream.readline().strip():
        name, _, value = line.partition(b":")
        headers[name.decode().lower()] = value.strip().decode()
    key = headers.get("sec-websocket-key", "").encode()
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept}",
    ]
    if protocols := headers.get("sec-websocket-protocol"):
        lines.append(f"Sec-WebSocket-Protocol: {protocols.split(',')[0].strip()}")
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    while True:
        opcode, final, payload = read_frame(stream)
        if opcode == CLOSE:
            connection.sendall(frame(CLOSE, payload))
            return
        if opcode == PING:
            connection.sendall(frame(PONG, payload))
        elif opcode == TEXT and final and payload == b"ping":
            connection.sendall(frame(PING, b"are you there"))
        elif opcode == PONG:
            connection.sendall(frame(TEXT, b"pong:" + payload))
        elif opcode == TEXT and final and payload == b"headers":
            told = json.dumps({"target": target, "headers": headers})
            connection.sendall(frame(TEXT, told.encode()))
        elif opcode == TEXT and final and payload.startswith(b"close:"):
            _, code, reason = payload.split(b":", 2)
            connection.sendall(frame(CLOSE, int(code).to_bytes(2, "big") + reason))
            read_frame(stream)
            return
        elif opcode == TEXT and final and payload.startswith(b"flood:"):
            for _ in range(int(payload.removeprefix(b"flood:"))):
                connection.sendall(frame(BINARY, b"x" * 65536))
        else:
            connection.sendall(frame(opcode, payload, final=final))


def handle(connection: socket.socket) -> None:
    with connection:
        try:
            serve(connection)
        except (OSError, EOFError):
            return


if __name__ == "__main__":
    bind = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    listener = socket.create_server((bind, int(sys.argv[1])), family=family, backlog=512)
    print(listener.getsockname()[1], flush=True)
    while True:
        accepted, _ = listener.accept()
        threading.Thread(target=handle, args=(accepted,), daemon=True).start()
