"""The body of an upload as it arrives, unpacked if it was packed."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator

from fake_e2b.data_plane.asgi import ClientGoneError, Receive
from fake_e2b.domain.envd_errors import EnvdError, EnvdKind

# Bytes that one piece of a packed body may become at once.
_UNPACKED_BYTES = 256 * 1024
_LONGEST_PAUSE_S = 0.25
_GZIP_FORM = 31
_GZIP_HEADER_BYTES = 10
_GZIP_START = b"\x1f\x8b\x08"


class BodyEndsEarlyError(Exception):
    """A packed body that breaks off, or is damaged; the text is the reason."""


class RequestBody:
    """Pieces of a request's body.

    Args:
        content_encoding: The request's header, "" when absent.
    """

    def __init__(self, receive: Receive, content_encoding: str) -> None:
        self._receive = receive
        self._encoding = content_encoding.strip().lower()
        self._given = content_encoding
        self._start = b""
        self._is_over = False

    async def open(self) -> None:
        """Look at how the body is packed.

        Raises:
            EnvdError: `UPLOAD_ENCODING_UNKNOWN`, `UPLOAD_NOT_GZIP`.
            ClientGoneError: The client left.

        Fact: envd.files.upload.gzip
        """
        if self._encoding in ("", "identity"):
            return
        if self._encoding != "gzip":
            raise EnvdError(EnvdKind.UPLOAD_ENCODING_UNKNOWN, encoding=self._given)
        while len(self._start) < _GZIP_HEADER_BYTES and not self._is_over:
            self._start += await self._next()
        if not self._start.startswith(_GZIP_START):
            reason = "gzip: invalid header"
            if len(self._start) < _GZIP_HEADER_BYTES:
                reason = "unexpected EOF" if self._start else "EOF"
            raise EnvdError(EnvdKind.UPLOAD_NOT_GZIP, reason=reason)

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        self._is_over = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body

    async def drain(self) -> None:
        """Take what is left of a body that is refused.

        Closing the connection with bytes unread would reset it, and the client might never see
        the answer. A client that pauses is not waited for.
        """
        try:
            while not self._is_over:
                await asyncio.wait_for(self._next(), _LONGEST_PAUSE_S)
        except (TimeoutError, ClientGoneError):
            return

    async def pieces(self) -> AsyncIterator[bytes]:
        """The content, piece by piece, none empty; call `open` first.

        Raises:
            BodyEndsEarlyError: A packed body is damaged.
            ClientGoneError: The client left before the end.
        """
        if self._encoding == "gzip":
            async for piece in self._unpacked():
                yield piece
            return
        while not self._is_over:
            if piece := await self._next():
                yield piece

    async def _unpacked(self) -> AsyncIterator[bytes]:
        unpacker = zlib.decompressobj(_GZIP_FORM)
        packed, self._start = self._start, b""
        while True:
            try:
                while packed:
                    piece = unpacker.decompress(packed, _UNPACKED_BYTES)
                    packed = unpacker.unconsumed_tail
                    if unpacker.eof:
                        # Another member may follow; its content continues the first one's.
                        packed = unpacker.unused_data
                        if packed:
                            unpacker = zlib.decompressobj(_GZIP_FORM)
                    if piece:
                        yield piece
            except zlib.error as error:
                raise BodyEndsEarlyError(_reason(error)) from error
            if self._is_over:
                break
            packed = await self._next()
            if packed and unpacker.eof:
                unpacker = zlib.decompressobj(_GZIP_FORM)
        if not unpacker.eof:
            raise BodyEndsEarlyError("unexpected EOF")


def _reason(error: zlib.error) -> str:
    text = str(error)
    if "data check" in text or "length check" in text:
        return "gzip: invalid checksum"
    return "gzip: invalid header" if "header check" in text else "flate: corrupt input"
