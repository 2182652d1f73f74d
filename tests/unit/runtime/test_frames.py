"""Messages with descriptors between the server and its helper."""

from __future__ import annotations

import errno
import os
import resource
import socket

import pytest

from fake_e2b.runtime.guest.frames import FrameReader, send


def test_descriptors_arrive_with_their_message() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        reading, writing = os.pipe()
        send(theirs, {"re": 1}, [reading, writing])
        send(theirs, {"re": 2})
        reader = FrameReader()
        frames = []
        while len(frames) < 2:
            reader.read(ours)
            frames += list(reader.frames())
    (first, fds), (second, none) = frames
    assert (first, second, none) == ({"re": 1}, {"re": 2}, [])
    os.write(fds[1], b"x")
    assert os.read(reading, 1) == b"x"
    for fd in (reading, writing, *fds):
        os.close(fd)


def test_descriptors_without_room_are_told_and_none_is_lost() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    ours, theirs = socket.socketpair()
    fds: list[int] = []
    with ours, theirs:
        sent = os.pipe()
        send(theirs, {"re": 1}, sent)
        send(theirs, {"re": 2}, sent)
        reader = FrameReader()
        free = os.dup(sent[0])
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, hard))  # room for one of the two
        try:
            reader.read(ours)
            ((first, lost),) = reader.frames()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        reader.read(ours)
        ((second, fds),) = reader.frames()
    assert (first, lost) == ({"re": 1, "errno": errno.EMFILE}, [])
    assert second == {"re": 2}
    assert len(fds) == 2
    for fd in (*sent, *fds):
        os.close(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(free)
