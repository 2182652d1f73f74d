"""What effects do to an answer on its way to the client: they pass its messages on, changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from fake_e2b.backend.steering import RuleInForce
from fake_e2b.domain.steering import effects
from fake_e2b.server.steering.exchange import Exchange, Message, header
from fake_e2b.server.streams import Send
from fake_e2b.wire.connect import ConnectFailure
from fake_e2b.wire.envelope import gunzip
from fake_e2b.wire.frame_cutter import FrameKind
from fake_e2b.wire.frame_edits import broken_json, is_end, is_keepalive

MOST_KEPT = 1 << 23
"""Bytes; an answer that is longer is not kept to be changed as a whole."""
_SMOOTHNESS = 20
"""Pieces a second into which a limited body is cut."""


class Filter:
    """One rule's; it counts as a hit of the rule when it first changes something."""

    minds_bytes_only = False

    def __init__(self, exchange: Exchange, rule: RuleInForce) -> None:
        self.exchange = exchange
        self.rule = rule
        self._fires: bool | None = None

    def fires(self) -> bool:
        """Whether to act, being about to."""
        if self._fires is None:
            self._fires = self.rule.take(self.exchange.asked)
        return self._fires and not self.rule.removed

    async def __call__(self, message: Message, forward: Send) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            await self.start(message, forward)
        elif message.get("body"):
            await self.frame(message["body"], forward)
        else:
            await self.end(message, forward)

    async def start(self, message: Message, forward: Send) -> None:
        """The status and the headers."""
        await forward(message)

    async def frame(self, frame: bytes, forward: Send) -> None:
        """A frame of the body."""
        await forward(body(frame))

    async def end(self, message: Message, forward: Send) -> None:
        """Nothing follows."""
        await forward(message)


def body(data: bytes) -> Message:
    """A piece of a body after which more follows."""
    return {"type": "http.response.body", "body": data, "more_body": True}


class WholeBody(Filter):
    """Keeps an answer that is no stream until it is whole, and sends it changed."""

    _start: Message | None = None
    _kept = b""

    def wants(self, start: Message) -> bool:
        """Whether it is to be changed, by its head."""
        raise NotImplementedError

    def edit(self, data: bytes) -> bytes:
        """The body, changed; as it was where nothing is to be done."""
        raise NotImplementedError

    async def start(self, message: Message, forward: Send) -> None:
        """Keep the head, for the length may change."""
        whole = self.exchange.kind is FrameKind.PIECE and self.exchange.scope["method"] != "HEAD"
        if whole and self.wants(message):
            self._start = message
        else:
            await forward(message)

    async def frame(self, frame: bytes, forward: Send) -> None:
        """Keep it, unless it gets too much."""
        if self._start is None:
            await forward(body(frame))
            return
        self._kept += frame
        if len(self._kept) > MOST_KEPT:
            start, self._start = self._start, None
            await forward(start)
            await forward(body(self._kept))

    async def end(self, message: Message, forward: Send) -> None:
        """Now it is whole."""
        start, self._start = self._start, None
        if start is not None:
            data = self._plain(start)
            changed = None if data is None else self.edit(data)
            if changed is None or changed == data:
                changed = self._kept
            else:
                start = _with_length(start, len(changed))
            await forward(start)
            if changed:
                await forward(body(changed))
        await forward(message)

    def _plain(self, start: Message) -> bytes | None:
        if header(start, b"content-encoding") != "gzip":
            return self._kept
        try:
            return gunzip(self._kept, MOST_KEPT)
        except ConnectFailure:
            return None


def _with_length(start: Message, length: int) -> Message:
    changed = {b"content-length", b"content-encoding"}
    headers = [pair for pair in start["headers"] if pair[0].lower() not in changed]
    return {**start, "headers": [*headers, (b"content-length", str(length).encode())]}


def is_json(start: Message) -> bool:
    """Whether an answer's body is JSON."""
    name = header(start, b"content-type").partition(";")[0].strip().lower()
    return name == "application/json" or name.endswith("+json")


class HalfAnswer(Filter):
    """Break off within the body."""

    minds_bytes_only = True
    _left: int | None = None

    async def start(self, message: Message, forward: Send) -> None:
        """See how much it will be."""
        length = header(message, b"content-length")
        if length.isdecimal() and self.fires():
            self._left = int(int(length) * self._effect.share)
        await forward(message)
        if self._left == 0:
            await self._break()

    async def frame(self, frame: bytes, forward: Send) -> None:
        """Of a body of unknown length it is a part of the first frame."""
        if self._left is None:
            if not self.fires():
                await forward(body(frame))
                return
            self._left = int(len(frame) * self._effect.share)
        part = frame[: self._left]
        self._left -= len(part)
        if part:
            await forward(body(part))
        if not self._left:
            await self._break()

    @property
    def _effect(self) -> effects.HalfAnswer:
        effect = self.rule.rule.effect
        assert isinstance(effect, effects.HalfAnswer)
        return effect

    async def _break(self) -> None:
        await self.exchange.break_off(reset=self._effect.reset)


class MalformedJson(WholeBody):
    """Break off within the JSON; of a stream, within its first message."""

    _is_first = True

    def wants(self, start: Message) -> bool:
        """JSON only."""
        return is_json(start)

    def edit(self, data: bytes) -> bytes:
        """The body's beginning."""
        return broken_json(data, FrameKind.PIECE, self._share) if data and self.fires() else data

    async def frame(self, frame: bytes, forward: Send) -> None:
        """The first of a stream."""
        kind = self.exchange.kind
        if kind in (FrameKind.ENVELOPE, FrameKind.LINE) and self._is_first and self.fires():
            frame = broken_json(frame, kind, self._share)
        self._is_first = False
        await super().frame(frame, forward)

    @property
    def _share(self) -> float:
        effect = self.rule.rule.effect
        assert isinstance(effect, effects.MalformedJson)
        return effect.share


class NoEndFrame(Filter):
    """Leave out what says that all was said."""

    async def frame(self, frame: bytes, forward: Send) -> None:
        """Pass on all others."""
        if not (is_end(frame, self.exchange.kind) and self.fires()):
            await forward(body(frame))


class DropKeepalives(Filter):
    """Leave out what says that the stream is still there."""

    async def frame(self, frame: bytes, forward: Send) -> None:
        """Pass on all others."""
        if not (is_alive(self.exchange, frame) and self.fires()):
            await forward(body(frame))


def is_alive(exchange: Exchange, frame: bytes) -> bool:
    """Whether a frame is a keepalive; damaged ones are none."""
    try:
        return is_keepalive(frame, exchange.kind, exchange.scope["path"], exchange.codec)
    except (ConnectFailure, ValueError):
        return False


class Drip(Filter):
    """A few bytes at a time."""

    minds_bytes_only = True

    async def frame(self, frame: bytes, forward: Send) -> None:
        """Piece by piece."""
        effect = self.rule.rule.effect
        assert isinstance(effect, effects.Drip)
        if not self.fires():
            await forward(body(frame))
            return
        for piece in pieces(frame, effect.size):
            await forward(body(piece))
            if self.rule.removed or self.exchange.ended:
                continue
            await asyncio.sleep(effect.every_s)


class Throttle(Filter):
    """So many bytes in a second, down to the client.

    Args:
        bytes_per_s: The most.
    """

    minds_bytes_only = True

    def __init__(self, exchange: Exchange, rule: RuleInForce, bytes_per_s: int) -> None:
        super().__init__(exchange, rule)
        self._bytes_per_s = bytes_per_s

    async def frame(self, frame: bytes, forward: Send) -> None:
        """Wait for as long as the line would need."""
        async for piece in at_pace(frame, self.rule, self._bytes_per_s):
            await forward(body(piece))


async def at_pace(data: bytes, rule: RuleInForce, bytes_per_s: int) -> AsyncIterator[bytes]:
    """`data` in pieces, each when it would have come over such a line while the rule is there."""
    for piece in pieces(data, max(1, bytes_per_s // _SMOOTHNESS)):
        if not rule.removed:
            await asyncio.sleep(len(piece) / bytes_per_s)
        yield piece


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """`data` cut into pieces of `size`."""
    for at in range(0, len(data), size):
        yield data[at : at + size]
