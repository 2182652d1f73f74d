"""One request that rules act on, and its answer on the way to the client."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fake_e2b.backend.steering import RuleInForce
from fake_e2b.domain.steering.asked import Asked
from fake_e2b.domain.steering.point import Moment
from fake_e2b.server.streams import App, Receive, Scope, Send

FAULT_HEADER = b"x-fake-e2b-fault"
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing sends RST."""

Message = Any
Act = Callable[["Exchange", RuleInForce], Any]
"""``async (exchange, rule)``: does what the rule's effect says, at its point."""
Filter = Callable[[Message, Send], Any]
"""``async (message, forward)``: passes the answer's messages on, changed or not."""


class Exchange:
    """A request and its answer.

    Once `ended`, nothing that the planes say reaches the client any more: to them it looks as if
    the client had left, and what they did stays done.

    Args:
        acts: What to do for a rule; None for one that only filters.

    Attributes:
        outgoing: At `done` and at frames: what is about to be sent; an act may change the list.
    """

    def __init__(
        self,
        asked: Asked,
        scope: Scope,
        receive: Receive,
        send: Send,
        rules: Sequence[RuleInForce],
        acts: Callable[[RuleInForce], Act | None],
    ) -> None:
        self.asked = asked
        self.scope = scope
        self.receive = receive
        self.ended = False
        self.outgoing: list[Message] = []
        self._send = self._forward = send
        self._rules = rules
        self._acts = acts
        self._frames = 0

    async def run(self, app: App, filters: Iterable[Filter]) -> None:
        """Serve the request by `app`, with what the rules do at their points."""
        for each in reversed(list(filters)):
            self._forward = _through(each, self._forward)
        await self._at(Moment.ARRIVED)
        if not self.ended:
            await app(self.scope, self.receive, self._say)

    async def answer(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes
    ) -> None:
        """Answer in place of the real answer, of which nothing may have been sent yet."""
        self.ended = True
        headers = [*headers, (b"content-length", str(len(body)).encode())]
        start = {"type": "http.response.start", "status": status, "headers": headers}
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def finish(self, body: bytes = b"") -> None:
        """End the answer, which has begun, as if it were complete; `body` is its last piece."""
        self.ended = True
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def break_off(self, *, reset: bool) -> None:
        """Break the connection: by RST, or by FIN in the middle of whatever was said.

        Served by something else than the fake's own server, the request ends by cancellation.

        Raises:
            asyncio.CancelledError: There is no handle on the connection.
        """
        self.ended = True
        connection = self.scope.get("fake_e2b.connection")
        if connection is None:
            raise asyncio.CancelledError
        if reset:
            sock = connection.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            connection.abort()
        else:
            connection.leave()
        await connection.lost.wait()

    async def client_left(self) -> None:
        """Return when the client's connection is gone."""
        connection = self.scope.get("fake_e2b.connection")
        if connection is not None:
            await connection.lost.wait()

    async def _say(self, message: Message) -> None:
        if self.ended:
            return
        self.outgoing = [message]
        if message["type"] == "http.response.start":
            await self._at(Moment.DONE)
        elif message.get("body"):
            self._frames += 1
            await self._at(Moment.FRAME, self._frames)
        if not self.ended:
            for each in self.outgoing:
                await self._forward(each)

    async def _at(self, moment: Moment, frame: int = 0) -> None:
        for each in self._rules:
            at = each.rule.at
            if at.moment is not moment or at.frame != frame:
                continue
            act = self._acts(each)
            if act is not None and each.take(self.asked):
                await act(self, each)
                if self.ended:
                    return


def _through(each: Filter, forward: Send) -> Send:
    async def send(message: Message) -> None:
        await each(message, forward)

    return send
