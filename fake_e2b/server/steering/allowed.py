"""Filters that say an answer in another way than usual, one that the contract allows as well."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from fake_e2b.domain.ids import Dice
from fake_e2b.server.steering.exchange import Message, header
from fake_e2b.server.steering.filters import Filter, WholeBody, body, is_alive, is_json
from fake_e2b.server.streams import Send
from fake_e2b.wire.frame_cutter import FrameKind
from fake_e2b.wire.frame_edits import (
    UNREADABLE,
    closed_json,
    is_end,
    keepalive,
    opened_json,
    split_characters,
    with_unknown_field,
    with_unknown_field_enveloped,
)

UNKNOWN_FIELD = "xFakeE2BUnknown"
_OF_THE_USER = frozenset({"files.download", "readVolumeFile", "port", "unknown", "envd.envs"})
"""Their answers are not the service's own words."""
_UNORDERED: Mapping[str, str | None] = {"Process.List": "processes", "listTemplates": None}
"""Operations that answer with a list in no stated order, and the member that holds it."""
_MOST_PIECES = 8


class Chunks(Filter):
    """Random pieces."""

    minds_bytes_only = True

    async def frame(self, frame: bytes, forward: Send) -> None:
        """Cut at random, and let each piece leave by itself."""
        if len(frame) < 2 or not self.fires():
            await forward(body(frame))
            return
        dice = self.rule.dice
        count = dice.randint(1, min(_MOST_PIECES, len(frame)) - 1)
        cuts = sorted(dice.sample(range(1, len(frame)), count))
        for begin, end in zip([0, *cuts], [*cuts, len(frame)], strict=True):
            await forward(body(frame[begin:end]))
            await asyncio.sleep(0)


class SplitCharacters(Filter):
    """Output split within characters."""

    async def frame(self, frame: bytes, forward: Send) -> None:
        """One frame or several."""
        frames: Sequence[bytes] = (frame,)
        if self.exchange.kind is FrameKind.ENVELOPE:
            try:
                frames = split_characters(frame, self.exchange.scope["path"], self.exchange.codec)
            except UNREADABLE:
                frames = (frame,)
        if len(frames) > 1 and not self.fires():
            frames = (frame,)
        for each in frames:
            await forward(body(each))


class Keepalives(Filter):
    """A keepalive after each frame."""

    async def frame(self, frame: bytes, forward: Send) -> None:
        """But not after the last, nor after a keepalive."""
        await forward(body(frame))
        exchange = self.exchange
        if is_end(frame, exchange.kind) or is_alive(exchange, frame):
            return
        more = keepalive(exchange.kind, exchange.scope["path"], exchange.codec)
        if more and self.fires():
            await forward(body(more))


class _Messages(WholeBody):
    """What changes single messages, of streams and of plain answers."""

    def change(self, message: Any) -> Any:
        """A message as JSON has it, changed."""
        raise NotImplementedError

    def wants(self, start: Message) -> bool:
        """The service's own JSON."""
        return is_json(start) and self._is_own

    def edit(self, data: bytes) -> bytes:
        """A plain answer."""
        return self._changed(data, FrameKind.PIECE)

    async def frame(self, frame: bytes, forward: Send) -> None:
        """A message of a stream."""
        kind, codec = self.exchange.kind, self.exchange.codec
        if self._is_own and (
            kind is FrameKind.LINE or (kind is FrameKind.ENVELOPE and codec == "json")
        ):
            frame = self._changed(frame, kind)
        await super().frame(frame, forward)

    @property
    def _is_own(self) -> bool:
        return self.exchange.asked.operation not in _OF_THE_USER

    def _changed(self, data: bytes, kind: FrameKind) -> bytes:
        try:
            message, flags = opened_json(data, kind)
        except UNREADABLE:
            return data
        changed = self.change(message)
        if changed is message or not self.fires():
            return data
        return closed_json(changed, kind, flags)


class UnknownFields(_Messages):
    """One field more in each message, and in each item of a list."""

    _is_protobuf = False

    def wants(self, start: Message) -> bool:
        """Protobuf as well."""
        self._is_protobuf = header(start, b"content-type") == "application/proto"
        return self._is_protobuf or super().wants(start)

    def edit(self, data: bytes) -> bytes:
        """In JSON or in protobuf."""
        if self._is_protobuf:
            return with_unknown_field(data) if self.fires() else data
        return super().edit(data)

    async def frame(self, frame: bytes, forward: Send) -> None:
        """In protobuf too."""
        exchange = self.exchange
        if exchange.kind is FrameKind.ENVELOPE and exchange.codec == "proto" and self.fires():
            with contextlib.suppress(*UNREADABLE):
                frame = with_unknown_field_enveloped(frame)
        await super().frame(frame, forward)

    def change(self, message: Any) -> Any:
        """The message, or the items that it lists."""
        if isinstance(message, list):
            return [self.change(each) for each in message] if message else message
        if not isinstance(message, dict):
            return message
        if message.get("type") == "result":
            # A result's members are its forms by MIME type: one more would be one more form.
            return message
        inside = {
            key: [self.change(each) for each in value] if isinstance(value, list) else value
            for key, value in message.items()
        }
        return {**inside, UNKNOWN_FIELD: {"since": "tomorrow"}}


class Shuffle(_Messages):
    """Another order."""

    def change(self, message: Any) -> Any:
        """The members of all objects, and the list that has no order."""
        dice = self.rule.dice
        shuffled = _shuffled(message, dice)
        operation = self.exchange.asked.operation
        if operation in _UNORDERED:
            member = _UNORDERED[operation]
            found = shuffled if member is None else shuffled.get(member)
            if isinstance(found, list):
                dice.shuffle(found)
        return shuffled


def _shuffled(value: Any, dice: Dice) -> Any:
    if isinstance(value, dict):
        members = [(key, _shuffled(each, dice)) for key, each in value.items()]
        dice.shuffle(members)
        return dict(members)
    if isinstance(value, list):
        return [_shuffled(each, dice) for each in value]
    return value
