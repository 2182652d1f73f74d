"""Changes to single frames of an answer; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fake_e2b.wire import envelope
from fake_e2b.wire.connect import Codec, ConnectFailure
from fake_e2b.wire.frame_cutter import FrameKind
from fake_e2b.wire.interpreter import END as END_LINE
from fake_e2b.wire.interpreter import KEEPALIVE as KEEPALIVE_LINE
from fake_e2b.wire.process_events import KEEPALIVE_EVENT
from fake_e2b.wire.proto_schema import MessageType, envd_schema
from fake_e2b.wire.protobuf import ProtoError, decode, encode
from fake_e2b.wire.protojson import from_json, to_json

_HEAD = 5
_UNKNOWN_BITS = 0x7C
_LAST = envelope.END | envelope.TRAILERS
_MOST_BYTES = 1 << 26
_METHODS = envd_schema().methods
_WATCH_KEEPALIVE: Mapping[str, Any] = {"keepalive": {}}
UNREADABLE = (ConnectFailure, ProtoError, ValueError)
"""What reading a frame can raise that somebody has damaged before."""


def codec_of(content_type: str) -> Codec:
    """How the messages of a stream are written."""
    return "proto" if "proto" in content_type or "+" not in content_type else "json"


def corrupted(frame: bytes, kind: FrameKind, part: str) -> bytes:
    """A frame with one byte changed: of the payload, or of the envelope."""
    damaged = bytearray(frame)
    enveloped = kind is FrameKind.ENVELOPE
    if enveloped and part == "flag":
        damaged[0] |= _UNKNOWN_BITS
    elif enveloped and part == "length":
        damaged[4] ^= 0x01
    else:
        head = _HEAD if enveloped and len(frame) > _HEAD else 0
        damaged[head + (len(frame) - head) // 2] ^= 0xFF
    return bytes(damaged)


def broken_json(frame: bytes, kind: FrameKind, share: float) -> bytes:
    """A frame whose JSON breaks off, while the frame itself is whole."""
    if kind is FrameKind.ENVELOPE:
        flags, payload = _opened(frame)
        return envelope.frame(_part(payload, share), flags)
    if kind is FrameKind.LINE:
        return _part(frame.rstrip(b"\n"), share) + b"\n"
    return _part(frame, share)


def is_end(frame: bytes, kind: FrameKind) -> bool:
    """Whether it is the frame that says that all was said."""
    if kind is FrameKind.ENVELOPE:
        return bool(frame[0] & _LAST)
    return kind is FrameKind.LINE and frame == END_LINE


def is_keepalive(frame: bytes, kind: FrameKind, path: str, codec: Codec) -> bool:
    """Whether it only says that the stream is still there."""
    if kind is FrameKind.LINE:
        return frame == KEEPALIVE_LINE
    if kind is not FrameKind.ENVELOPE or path not in _METHODS or is_end(frame, kind):
        return False
    message = _decoded(_METHODS[path].response, codec, frame)
    return message in (KEEPALIVE_EVENT, _WATCH_KEEPALIVE)


def keepalive(kind: FrameKind, path: str, codec: Codec) -> bytes:
    """A keepalive for the stream; empty where it knows none."""
    if kind is FrameKind.LINE:
        return KEEPALIVE_LINE
    if kind is not FrameKind.ENVELOPE or path not in _METHODS:
        return b""
    response = _METHODS[path].response
    if path == "/filesystem.Filesystem/WatchDir":
        message = _WATCH_KEEPALIVE
    elif path in ("/process.Process/Start", "/process.Process/Connect"):
        message = KEEPALIVE_EVENT
    else:
        return b""
    return envelope.frame(_encoded(response, codec, message))


def split_characters(frame: bytes, path: str, codec: Codec) -> Sequence[bytes]:
    """A process's output as several frames, each but the last ending amid a UTF-8 character.

    Raises:
        UNREADABLE: It is no message.
    """
    if is_end(frame, FrameKind.ENVELOPE) or path not in _METHODS:
        return (frame,)
    response = _METHODS[path].response
    message = _decoded(response, codec, frame)
    data: Mapping[str, bytes] = message.get("event", {}).get("data", {})
    for channel, output in data.items():
        pieces = _within_characters(output)
        if len(pieces) > 1:
            return [
                envelope.frame(_encoded(response, codec, {"event": {"data": {channel: piece}}}), 0)
                for piece in pieces
            ]
    return (frame,)


def opened_json(frame: bytes, kind: FrameKind) -> tuple[Any, int]:
    """The JSON that a frame holds, and its envelope's flags.

    Raises:
        UNREADABLE: It holds none.
    """
    if kind is FrameKind.ENVELOPE:
        flags, payload = _opened(frame)
        return json.loads(payload), flags
    return json.loads(frame), 0


def closed_json(value: Any, kind: FrameKind, flags: int) -> bytes:
    """The same way back."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    if kind is FrameKind.ENVELOPE:
        return envelope.frame(text, flags)
    return text + b"\n" if kind is FrameKind.LINE else text


def with_unknown_field(payload: bytes) -> bytes:
    """A protobuf message with a field more: text, under a number that no version uses."""
    text = b"fake-e2b"
    return payload + b"\xfa\xff\x7f" + bytes((len(text),)) + text


def with_unknown_field_enveloped(frame: bytes) -> bytes:
    """The same for a message in its envelope; the frame that ends a stream is JSON or text.

    Raises:
        UNREADABLE: It is no message.
    """
    if is_end(frame, FrameKind.ENVELOPE):
        return frame
    flags, payload = _opened(frame)
    return envelope.frame(with_unknown_field(payload), flags)


def _opened(frame: bytes) -> tuple[int, bytes]:
    """Flags without the mark of compression, and the plain payload."""
    payload = frame[_HEAD:]
    if frame[0] & envelope.COMPRESSED:
        payload = envelope.gunzip(payload, _MOST_BYTES)
    return frame[0] & ~envelope.COMPRESSED, payload


def _decoded(kind: MessageType, codec: Codec, frame: bytes) -> Mapping[str, Any]:
    _, payload = _opened(frame)
    if codec == "json":
        return from_json(kind, payload)
    return decode(kind, payload)


def _encoded(kind: MessageType, codec: Codec, message: Mapping[str, Any]) -> bytes:
    plain = dict(message)
    return to_json(kind, plain) if codec == "json" else encode(kind, plain)


def _part(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


def _within_characters(output: bytes) -> Sequence[bytes]:
    """Cut after the first byte of each character that has several."""
    cuts = [at + 1 for at, byte in enumerate(output) if byte >= 0xC0]
    cuts = [cut for cut in cuts if cut < len(output)][:8]
    return [output[a:b] for a, b in zip([0, *cuts], [*cuts, len(output)], strict=True)]
