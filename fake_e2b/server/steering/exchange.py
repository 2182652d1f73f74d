"""One request that rules act on, and its answer on the way to the client."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Protocol

from fake_e2b.backend.steering import RuleInForce
from fake_e2b.data_plane.proxy import TUNNEL_KEY
from fake_e2b.domain.steering.asked import Asked
from fake_e2b.domain.steering.point import Moment
from fake_e2b.server.streams import App, Receive, Scope, Send
from fake_e2b.wire.connect import Codec
from fake_e2b.wire.frame_cutter import FrameCutter, FrameKind, frame_kind
from fake_e2b.wire.frame_edits import codec_of

FAULT_HEADER = b"x-fake-e2b-fault"
_HEAR_OUT_S = 0.5
_MOST_HEARD = 1 << 20
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing sends RST."""

Message = Any
Act = Callable[["Exchange", RuleInForce], Any]
"""``async (exchange, rule)``: does what the rule's effect says, at its point."""


class Filter(Protocol):
    """Passes the answer's messages on, changed or not."""

    @property
    def minds_bytes_only(self) -> bool:
        """Whether it does the same to what comes after a 101."""
        ...

    async def __call__(self, message: Message, forward: Send, /) -> None: ...


class Exchange:
    """A request and its answer.

    Once `ended`, nothing that the planes say reaches the client any more: to them it looks as if
    the client had left, and what they did stays done.

    Args:
        acts: What to do for a rule; None for one that only filters.
        is_due: Whether there is anything to do for a rule now, at its point.

    Attributes:
        outgoing: At `done` and at frames: what is about to be sent; an act may change the list.
        kind: What the answer's frames are, and `codec` how its messages are written; both are
            known from `done` on.
        more_headers: Added to the answer's own.
    """

    def __init__(
        self,
        asked: Asked,
        scope: Scope,
        receive: Receive,
        send: Send,
        rules: Sequence[RuleInForce],
        acts: Callable[[RuleInForce], Act | None],
        is_due: Callable[[Exchange, RuleInForce], bool],
    ) -> None:
        self.asked = asked
        self.scope = scope
        self.receive: Receive = self._hear
        self._receive = receive
        self._heard_all = False
        self.ended = False
        self.outgoing: list[Message] = []
        self.kind = FrameKind.PIECE
        self.codec: Codec = "json"
        self.more_headers: list[tuple[bytes, bytes]] = []
        self._send = send
        self._rules = rules
        self._acts = acts
        self._due = is_due
        self._filters: list[Filter] = []
        self._cutter = FrameCutter(self.kind)
        self._frames = 0
        self._endings: list[Callable[[], Awaitable[None]]] = []
        self._tunnel: Send | None = None
        self._knows_frames = any(each.rule.at.moment is Moment.FRAME for each in rules)
        if self._knows_frames:
            scope[TUNNEL_KEY] = self._through_tunnel

    def at_end(self, step: Callable[[], Awaitable[None]]) -> None:
        """Take `step` when the exchange is over, however it ended."""
        self._endings.append(step)

    async def run(self, app: App, filters: Iterable[Filter]) -> None:
        """Serve the request by `app`, with what the rules do at their points."""
        for each in filters:
            self.filter(each)
        try:
            await self._at(Moment.ARRIVED)
            if not self.ended:
                await app(self.scope, self.receive, self._say)
        finally:
            for step in reversed(self._endings):
                await step()

    async def answer(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes
    ) -> None:
        """Answer in place of the real answer, of which nothing may have been sent yet."""
        self.ended = True
        await self._hear_out()
        length = (b"content-length", str(len(body)).encode())
        headers = [*headers, *self.more_headers, length]
        start = {"type": "http.response.start", "status": status, "headers": headers}
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _hear_out(self) -> None:
        """Read what the client is still sending: closing before would take the answer with it."""
        heard = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_HEAR_OUT_S):
                while not self._heard_all and heard < _MOST_HEARD:
                    heard += len((await self._hear()).get("body", b""))

    async def _hear(self) -> Message:
        message = await self._receive()
        self._heard_all = not message.get("more_body", False)
        return message

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
        lost = asyncio.Event() if connection is None else connection.lost
        await lost.wait()

    def filter(self, each: Filter) -> None:
        """Pass the answer through one filter more, the last."""
        self._filters.append(each)
        if each.minds_bytes_only:
            self.scope[TUNNEL_KEY] = self._through_tunnel

    async def _say(self, message: Message) -> None:
        if self.ended:
            return
        if message["type"] == "http.response.start":
            self._look_at(message)
            self.outgoing = [{**message, "headers": [*message["headers"], *self.more_headers]}]
            await self._at(Moment.DONE)
            await self._forward_all()
            return
        more = message.get("more_body", False)
        for frame in self._cutter.feed(bytes(message.get("body", b"")), end=not more):
            await self._say_frame(frame)
        if not more:
            await self.forward({"type": "http.response.body", "body": b"", "more_body": False})

    async def _through_tunnel(self, data: bytes, write: Callable[[bytes], None]) -> None:
        """What comes after a 101, a WebSocket's frame by frame where a rule asks for frames.

        Filters have a part in it that would do the same to any bytes.
        """
        if self._tunnel is None:
            is_web_socket = self.asked.headers.get("upgrade", "").lower() == "websocket"
            has_frames = is_web_socket and self._knows_frames
            self.kind = FrameKind.WEB_SOCKET if has_frames else FrameKind.PIECE
            self._cutter = FrameCutter(self.kind)
            self._filters = [each for each in self._filters if each.minds_bytes_only]
            self._send = self._tunnel = _writing(write)
        for frame in self._cutter.feed(data, end=False):
            await self._say_frame(frame)

    def _look_at(self, start: Message) -> None:
        content_type = header(start, b"content-type")
        self.kind = frame_kind(
            self.asked.operation, content_type, has_length=bool(header(start, b"content-length"))
        )
        self.codec = codec_of(content_type)
        self._cutter = FrameCutter(self.kind)

    async def _say_frame(self, frame: bytes) -> None:
        if self.ended:
            return
        self._frames += 1
        self.outgoing = [{"type": "http.response.body", "body": frame, "more_body": True}]
        await self._at(Moment.FRAME, self._frames)
        await self._forward_all()

    async def _forward_all(self) -> None:
        for each in self.outgoing:
            await self.forward(each)

    async def forward(self, message: Message, at: int = 0) -> None:
        """Through the filters, from the one at `at` on, to the client."""
        if self.ended:
            return
        if at == len(self._filters):
            await self._send(message)
        else:
            await self._filters[at](message, partial(self.forward, at=at + 1))

    async def _at(self, moment: Moment, frame: int = 0) -> None:
        for each in self._rules:
            at = each.rule.at
            if at.moment is not moment or at.frame != frame:
                continue
            act = self._acts(each)
            if act is None or not self._due(self, each):
                continue
            if each.rule.effect.counts_itself or each.take(self.asked):
                await act(self, each)
                if self.ended:
                    return


def header(start: Message, name: bytes) -> str:
    """A header of an answer, empty where there is none."""
    found = (value for key, value in start["headers"] if key.lower() == name)
    return str(next(found, b"").decode("latin-1"))


def _writing(write: Callable[[bytes], None]) -> Send:
    async def send(message: Message) -> None:
        write(message.get("body", b""))

    return send
