"""The HTTP request and answer that open a WebSocket; text in, text out, no I/O."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
Header = tuple[str, str]


class HandshakeError(Exception):
    """There will be no WebSocket; the text is for people."""


@dataclass(frozen=True)
class Url:
    """A `ws://` or `wss://` address.

    Attributes:
        authority: Host and port as they stood, for the Host header.
        target: Path and query.
    """

    secure: bool
    host: str
    port: int
    authority: str
    target: str

    @staticmethod
    def parse(text: str) -> Url:
        """Take an address apart.

        Raises:
            HandshakeError: It is none.
        """
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise HandshakeError(f"invalid URL {text!r}: {error}") from error
        secure = parts.scheme == "wss"
        if not parts.hostname or parts.scheme not in ("ws", "wss"):
            raise HandshakeError(f"invalid URL {text!r}")
        target = parts.path or "/"
        target += f"?{parts.query}" if parts.query else ""
        authority = parts.netloc.rpartition("@")[2]
        return Url(secure, parts.hostname, port or (443 if secure else 80), authority, target)


@dataclass(frozen=True)
class Head:
    """First line and headers of a request or an answer; names in lower case."""

    first: str
    headers: tuple[Header, ...]

    @staticmethod
    def parse(data: bytes) -> Head:
        """From the bytes up to the empty line.

        Raises:
            HandshakeError: It is not HTTP.
        """
        first, *lines = data.decode("latin-1").rstrip("\r\n").split("\r\n")
        headers = []
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise HandshakeError(f"not a header: {line!r}")
            headers.append((name.strip().lower(), value.strip()))
        if "HTTP/1." not in first:
            raise HandshakeError(f"not HTTP: {first[:80]!r}")
        return Head(first, tuple(headers))

    def get(self, name: str) -> str:
        """All values of a header, joined by commas; "" without any."""
        return ", ".join(value for key, value in self.headers if key == name)

    def has(self, name: str, word: str) -> bool:
        """Whether `word` is one of a header's comma-separated words."""
        return word in (one.strip().lower() for one in self.get(name).split(","))


def accept_key(key: str) -> str:
    """What a server answers to a client's key."""
    return base64.b64encode(hashlib.sha1((key + _MAGIC).encode()).digest()).decode()


def new_key() -> str:
    """A client's key."""
    return base64.b64encode(os.urandom(16)).decode()


def request(url: Url, key: str, extra: Sequence[Header]) -> bytes:
    """A client's request; `extra` headers replace those of the same name."""
    headers = {
        "Host": url.authority,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
    }
    replaced = {name.lower() for name, _ in extra}
    lines = [f"{n}: {v}" for n, v in headers.items() if n.lower() not in replaced]
    lines += [f"{name}: {value}" for name, value in extra]
    return _joined(f"GET {url.target} HTTP/1.1", lines)


def check_answer(head: Head, key: str) -> None:
    """Whether the server agreed.

    Raises:
        HandshakeError: It did not.
    """
    _, _, status = head.first.partition(" ")
    if not status.startswith("101"):
        code, _, text = status.partition(" ")
        raise HandshakeError(f"Received unexpected status code ({code} {text})")
    if head.get("sec-websocket-accept") != accept_key(key):
        raise HandshakeError("the server's Sec-WebSocket-Accept is wrong")


def answer(head: Head, extra: Sequence[Header], path: str | None) -> tuple[bytes, bool]:
    """A server's answer, and whether the WebSocket is open with it.

    Args:
        path: The only target to accept; None accepts all.
    """
    key = head.get("sec-websocket-key")
    if not (head.first.startswith("GET ") and head.has("upgrade", "websocket") and key):
        return _refusal("400 Bad Request", "Only WebSocket connections are welcome here"), False
    if head.get("sec-websocket-version") != "13":
        return _refusal("426 Upgrade Required", "", "Sec-WebSocket-Version: 13"), False
    target = head.first.split(" ")[1]
    if path is not None and target != path:
        return _refusal("404 Not Found", "URI does not match"), False
    lines = [
        f"Sec-WebSocket-Accept: {accept_key(key)}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        *(f"{name}: {value}" for name, value in extra),
    ]
    return _joined("HTTP/1.1 101 Switching Protocols", lines), True


def _refusal(status: str, text: str, *lines: str) -> bytes:
    body = f"{text}\n".encode()
    more = ["Content-Type: text/plain", f"Content-Length: {len(body)}", "Connection: close"]
    return _joined(f"HTTP/1.1 {status}", [*lines, *more]) + body


def _joined(first: str, lines: Sequence[str]) -> bytes:
    return "\r\n".join([first, *lines, "", ""]).encode("latin-1")
