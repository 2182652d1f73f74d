"""Posts to the receivers of webhooks: over loopback, and further only if that was allowed.

Facts: webhooks.delivery, fake.webhooks.loopback
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import SplitResult, urlsplit

import h11

from fake_e2b.domain.webhook import ErrorClass, Letter, Reply

MOST_ANSWER = 64 * 1024
"""Bytes read of an answer's body."""
_PIECE = 65_536
_NOT_SENT = (
    "not sent: this fake delivers to loopback addresses only, and {host} is none; "
    "FakeE2B(remote_webhooks=True), or --remote-webhooks, lets it"
)


class Receivers:
    """Who is sent to.

    Args:
        remote: Whether that may be another machine.
        timeout_s: How long a receiver may take, in real time.
    """

    def __init__(self, *, remote: bool, timeout_s: float) -> None:
        self._remote = remote
        self._timeout_s = timeout_s

    async def post(self, letter: Letter) -> Reply:
        """Send one; a redirect is no success, and not followed."""
        parts = urlsplit(letter.url)
        addresses = _addresses(parts.hostname or "", remote=self._remote)
        if not addresses:
            reason = _NOT_SENT.format(host=parts.hostname)
            return Reply(error_class=ErrorClass.CANCELED, error_message=reason, sent=False)
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout_s):
                reply = await _exchange(parts, addresses, letter)
        except TimeoutError:
            reply = _failed(ErrorClass.TIMEOUT, f"no answer within {self._timeout_s:g} s")
        except socket.gaierror as error:
            reply = _failed(ErrorClass.DNS, str(error))
        except h11.LocalProtocolError as error:
            reply = _failed(ErrorClass.REQUEST, str(error))
        except (OSError, h11.RemoteProtocolError, EOFError) as error:
            reply = _failed(ErrorClass.TRANSPORT, str(error) or type(error).__name__)
        return replace(reply, duration_ms=round((time.monotonic() - began) * 1000))


def _failed(error_class: ErrorClass, message: str) -> Reply:
    return Reply(error_class=error_class, error_message=message)


def _addresses(host: str, *, remote: bool) -> tuple[str, ...]:
    """What to connect to; loopback's names need no resolver, and no other one is asked."""
    if host == "localhost" or host.endswith(".localhost"):
        return "127.0.0.1", "::1"
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    return (host,) if is_loopback or remote else ()


async def _exchange(parts: SplitResult, addresses: tuple[str, ...], letter: Letter) -> Reply:
    reader, writer = await _connect(parts, addresses)
    try:
        connection = h11.Connection(our_role=h11.CLIENT)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = [
            ("host", parts.netloc.rpartition("@")[2]),
            ("user-agent", "fake-e2b-webhooks"),
            ("content-length", str(len(letter.body))),
            ("connection", "close"),
            *letter.headers.items(),
        ]
        request = h11.Request(method="POST", target=target.encode(), headers=headers)
        for event in (request, h11.Data(data=letter.body), h11.EndOfMessage()):
            writer.write(connection.send(event) or b"")
        with contextlib.suppress(ConnectionError):  # it may have answered without reading
            await writer.drain()
        return await _read(connection, reader)
    finally:
        writer.close()
        if (transport := writer.transport) is not None:
            transport.abort()


async def _connect(
    parts: SplitResult, addresses: tuple[str, ...]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    is_https = parts.scheme == "https"
    port = parts.port or (443 if is_https else 80)
    tls = ssl.create_default_context() if is_https else None
    named = parts.hostname if is_https else None
    failure: OSError | None = None
    for address in addresses:
        try:
            return await asyncio.open_connection(address, port, ssl=tls, server_hostname=named)
        except OSError as error:
            failure = failure or error
    assert failure is not None
    raise failure


async def _read(connection: h11.Connection, reader: asyncio.StreamReader) -> Reply:
    head: h11.Response | None = None
    body = b""
    while len(body) < MOST_ANSWER:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_PIECE))
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif not isinstance(event, h11.InformationalResponse):
            break
    if head is None:
        raise EOFError("the receiver closed the connection without an answer")
    is_success = 200 <= head.status_code < 300
    return Reply(
        status=head.status_code,
        headers=_text(head),
        body=body[:MOST_ANSWER].decode("utf-8", "replace"),
        error_class=None if is_success else ErrorClass.HTTP,
        error_message=None if is_success else f"the receiver answered {head.status_code}",
    )


def _text(head: h11.Response) -> Mapping[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
