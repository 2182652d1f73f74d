"""The frame decoder, against the one of the `websockets` package."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame
from websockets.frames import Opcode as Theirs

from fake_e2b.runtime.websocat.frames import (
    Control,
    Data,
    Decoder,
    Opcode,
    ProtocolError,
    close_payload,
    encode,
)


def joined(events: list[Data | Control]) -> list[tuple[bool, bytes] | Control]:
    """Pieces of messages put together: `(text, payload)`."""
    found: list[tuple[bool, bytes] | Control] = []
    open_message = b""
    for event in events:
        if isinstance(event, Control):
            found.append(event)
            continue
        open_message += event.payload
        if event.complete:
            found.append((event.text, open_message))
            open_message = b""
    return found


@given(
    messages=st.lists(st.lists(st.binary(max_size=300), min_size=1, max_size=4), max_size=5),
    cuts=st.lists(st.integers(1, 40), min_size=1),
    masked=st.booleans(),
)
def test_any_cut_of_the_stream_gives_the_same_messages(
    messages: list[list[bytes]], cuts: list[int], masked: bool
) -> None:
    stream = b""
    for parts in messages:
        for number, part in enumerate(parts):
            opcode = Theirs.CONT if number else Theirs.BINARY
            frame = Frame(opcode, part, fin=number == len(parts) - 1)
            stream += frame.serialize(mask=masked)
        stream += Frame(Theirs.PING, b"p").serialize(mask=masked)
    decoder, events, turn = Decoder(masked=masked), [], 0
    while stream:
        size = cuts[turn % len(cuts)]
        events += list(decoder.feed(stream[:size]))
        stream, turn = stream[size:], turn + 1
    ping = Control(Opcode.PING, b"p")
    wanted = [one for parts in messages for one in ((False, b"".join(parts)), ping)]
    assert joined(events) == wanted


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 200_000])
def test_frames_are_as_others_write_them(size: int) -> None:
    payload = bytes(range(256)) * (size // 256 + 1)
    theirs = Frame(Theirs.BINARY, payload[:size]).serialize(mask=False)
    assert encode(Opcode.BINARY, payload[:size], masked=False) == theirs
    masked = encode(Opcode.BINARY, payload[:size], masked=True)
    assert joined(list(Decoder(masked=True).feed(masked))) == [(False, payload[:size])]


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (b"\xc2\x00", 1002),  # a reserved bit
        (b"\x83\x00", 1002),  # an unknown opcode
        (b"\x82\x80\0\0\0\0", 1002),  # a server that masks
        (b"\x80\x00", 1002),  # the rest of no message
        (b"\x02\x01a\x82\x01b", 1002),  # a message within a message
        (b"\x09\x00", 1002),  # a ping in parts
        (b"\x89\x7e\x00\x7e", 1002),  # a long ping
        (b"\x88\x01\x03", 1002),  # half a status
        (b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 1002),  # a negative length
        (b"\x81\x02\xc3\x28", 1007),  # no UTF-8
        (b"\x81\x01\xc3", 1007),  # half a character
    ],
)
def test_a_broken_frame_is_refused(frames: bytes, code: int) -> None:
    with pytest.raises(ProtocolError) as refused:
        list(Decoder(masked=False).feed(frames))
    assert refused.value.code == code


def test_a_character_may_be_cut_between_frames() -> None:
    whole = "ü".encode()
    frames = encode(Opcode.TEXT, whole[:1], masked=False, final=False)
    frames += encode(Opcode.CONTINUATION, whole[1:], masked=False)
    assert joined(list(Decoder(masked=False).feed(frames))) == [(True, whole)]


def test_a_close_tells_status_and_reason() -> None:
    frames = encode(Opcode.CLOSE, close_payload(1001, "going"), masked=False)
    frames += encode(Opcode.CLOSE, b"", masked=False)
    statuses = [
        event.status() for event in Decoder(masked=False).feed(frames) if isinstance(event, Control)
    ]
    assert statuses == [(1001, "going"), (1005, "")]
