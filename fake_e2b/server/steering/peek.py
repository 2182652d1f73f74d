"""Reads the beginning of a request's body ahead, and gives it again to whoever serves it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from fake_e2b.server.streams import Receive
from fake_e2b.wire.asked_message import MOST_READ, asked_message, is_enough, is_readable


class Peek:
    """A request's `receive` that can be read ahead."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._again: deque[Any] = deque()

    async def receive(self) -> Any:
        """The next message, those read ahead first."""
        return self._again.popleft() if self._again else await self._receive()

    async def message(self, path: str, headers: Mapping[str, str]) -> Any:
        """See `wire.asked_message`; None for what is too long as well."""
        if not is_readable(path, headers):
            return None
        data = b""
        while True:
            message = await self._receive()
            self._again.append(message)
            data += message.get("body", b"")
            if len(data) > MOST_READ:
                return None
            if not message.get("more_body", False) or is_enough(path, data):
                return asked_message(path, headers, data)
