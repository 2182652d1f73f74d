"""Lines of a byte stream as messages, and messages as lines: how people type at a WebSocket."""

from __future__ import annotations

from dataclasses import replace

from .frames import Data
from .streams import Stream

_ENDS = b"\r\n"


class LineStream:
    """A byte stream whose lines are messages.

    Args:
        size: The longest line; a longer one is cut.
        end: What ends a line.
        strip: Whether a message goes without the line's end.
    """

    def __init__(
        self, inner: Stream, size: int, *, end: bytes = b"\n", strip: bool = False
    ) -> None:
        self._inner = inner
        self._size = size
        self._end = end
        self._strip = strip
        self._buffer = bytearray()
        self._searched = 0
        self._held = b""  # line ends of a message that may be its last bytes

    async def read(self) -> Data | None:
        """The next line."""
        while True:
            found = self._buffer.find(self._end, self._searched)
            if found >= 0:
                return self._line(found + len(self._end))
            self._searched = len(self._buffer)
            if len(self._buffer) >= self._size:
                return self._line(self._size)
            piece = await self._inner.read()
            if piece is None:
                return self._line(len(self._buffer)) if self._buffer else None
            self._buffer += piece.payload

    def _line(self, size: int) -> Data:
        line = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._searched = 0
        if self._strip:
            line = line.rstrip(_ENDS) if self._end == b"\n" else line.rstrip(self._end)
        return Data(line, complete=True, text=False)

    async def write(self, piece: Data) -> None:
        """A message becomes a line: line ends within it become spaces."""
        if self._end != b"\n":
            ending = self._end if piece.complete else b""
            await self._inner.write(replace(piece, payload=piece.payload + ending))
            return
        text = self._held + piece.payload
        kept = text.rstrip(_ENDS)
        self._held = b"" if piece.complete else text[len(kept) :]
        line = kept.replace(b"\r", b" ").replace(b"\n", b" ")
        await self._inner.write(replace(piece, payload=line + (b"\n" if piece.complete else b"")))

    async def finish(self) -> None:
        """As of the byte stream."""
        await self._inner.finish()

    async def close(self, *, failed: bool = False) -> None:
        """As of the byte stream."""
        await self._inner.close(failed=failed)
