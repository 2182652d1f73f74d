"""What a handler knows of the RPC it serves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from fake_e2b.data_plane.asgi import Headers, Scope
from fake_e2b.data_plane.target import Target, target_of
from fake_e2b.wire.protobuf import Message

_DEFAULT_KEEPALIVE_S = 90


class Call:
    """One request being served.

    Attributes:
        scope: The ASGI scope.
        headers: The request's headers, names in lower case.
        timeout_s: What the client granted; None without a deadline.
        deadline: The same as an instant of the event loop's clock.
        response_headers: More headers for the answer; no effect after a stream's first message.
        keepalive_message: See `send_keepalives`.
    """

    __slots__ = (
        "deadline",
        "headers",
        "keepalive_message",
        "response_headers",
        "scope",
        "timeout_s",
    )

    def __init__(self, scope: Scope, headers: Mapping[str, str], timeout_s: float | None) -> None:
        self.scope = scope
        self.headers = headers
        self.timeout_s = timeout_s
        self.deadline = None if timeout_s is None else asyncio.get_running_loop().time() + timeout_s
        self.response_headers: Headers = []
        self.keepalive_message: Message | None = None

    @property
    def target(self) -> Target:
        """The sandbox that the request is for."""
        return target_of(self.scope)

    def send_keepalives(self, message: Message) -> None:
        """Ask, before a stream's first message, for `message` whenever the stream is idle.

        The client says in `Keepalive-Ping-Interval` after how many seconds.
        """
        self.keepalive_message = message

    @property
    def keepalive_interval_s(self) -> int:
        """Seconds of silence before a keepalive. Fact: envd.connect.keepalive"""
        try:
            interval_s = int(self.headers.get("keepalive-ping-interval", ""))
        except ValueError:
            return _DEFAULT_KEEPALIVE_S
        return interval_s if 0 < interval_s < 2**31 else _DEFAULT_KEEPALIVE_S
