"""A WebSocket client on a plain socket, by wsproto."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import TypeVar

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Event, RejectConnection, Request

from tests.helpers.http import connected

Wanted = TypeVar("Wanted", bound=Event)


class WebSocket:
    """One connection; `expect` reads on until an event of the kind comes."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.protocol = WSConnection(ConnectionType.CLIENT)
        self._seen: list[Event] = []

    def send(self, event: Event) -> None:
        self.connection.sendall(self.protocol.send(event))

    def next(self) -> Event:
        """The next event.

        Raises:
            ConnectionResetError: The connection ended without one.
        """
        while not self._seen:
            data = self.connection.recv(1 << 18)
            if not data:
                raise ConnectionResetError("the connection ended")
            self.protocol.receive_data(data)
            self._seen = list(self.protocol.events())
        return self._seen.pop(0)

    def expect(self, kind: type[Wanted]) -> Wanted:
        event = self.next()
        assert isinstance(event, kind), event
        return event

    def message(self) -> str | bytes:
        """One whole message, put together from its fragments."""
        parts = []
        while True:
            event = self.next()
            parts.append(event.data)  # type: ignore[attr-defined]
            if event.message_finished:  # type: ignore[attr-defined]
                return parts[0][:0].join(parts)


@contextlib.contextmanager
def websocket(port: int, request: Request) -> Iterator[WebSocket]:
    """A connection whose handshake has succeeded.

    Raises:
        AssertionError: It was refused; holds the status.
    """
    with connected(port) as connection:
        client = WebSocket(connection)
        client.send(request)
        answer = client.next()
        assert not isinstance(answer, RejectConnection), answer.status_code
        assert isinstance(answer, AcceptConnection)
        yield client
