"""A file's content, piece by piece, as fast as the client takes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fake_e2b.data_plane.asgi import Receive
from fake_e2b.domain.file_ports import ByteFile

PIECE_BYTES = 256 * 1024
_PIECES_IN_A_ROW = 4


async def pieces_of(file: ByteFile, length: int | None, receive: Receive) -> AsyncIterator[bytes]:
    """Content from where the file stands, `length` bytes or all; ends when the client left."""
    leaving = asyncio.ensure_future(_wait_until_gone(receive))
    left = length
    try:
        number = 0
        while left is None or left > 0:
            piece = read_piece(file, PIECE_BYTES if left is None else min(left, PIECE_BYTES))
            if not piece:
                return
            if left is not None:
                left -= len(piece)
            yield piece
            number += 1
            if number % _PIECES_IN_A_ROW == 0:
                # A client that is as fast as we are would keep everybody else waiting.
                await asyncio.sleep(0)
            if leaving.done():
                return
    finally:
        leaving.cancel()


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def read_piece(file: ByteFile, size: int) -> bytes:
    """Bytes, or b"" where the file ends, breaks or would have to be waited for."""
    try:
        return file.read(size) or b""
    except OSError:
        return b""
