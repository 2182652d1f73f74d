"""Packs content as gzip, fast where packing gains nothing."""

from __future__ import annotations

import zlib

_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LAST_BLOCK = b"\x03\x00"
_RAW_DEFLATE = -15
_SAMPLE_BYTES = 4096
_WORTH_PACKING = 0.9
_STORED, _FAST, _USUAL = 0, 1, 6
_SMALL_BYTES = 64 * 1024


class GzipStream:
    """One gzip member, made of blocks that stand for themselves.

    A block whose start hardly shrinks is stored as it is: a client cannot tell, and large files
    of packed or random content pass at the speed of memory.
    """

    def __init__(self) -> None:
        self._checksum = 0
        self._size = 0
        self._is_started = False

    def feed(self, block: bytes) -> bytes:
        """Pack some content; blocks of some hundred kilobytes suit best."""
        self._checksum = zlib.crc32(block, self._checksum)
        self._size += len(block)
        packer = zlib.compressobj(_level(block), zlib.DEFLATED, _RAW_DEFLATE)
        packed = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
        if self._is_started:
            return packed
        self._is_started = True
        return _HEADER + packed

    def finish(self) -> bytes:
        """The end; without any content a whole member."""
        trailer = self._checksum.to_bytes(4, "little") + (self._size % 2**32).to_bytes(4, "little")
        return (b"" if self._is_started else _HEADER) + _LAST_BLOCK + trailer


def _level(block: bytes) -> int:
    if len(block) <= _SMALL_BYTES:
        return _USUAL
    sample = block[:_SAMPLE_BYTES]
    gains = len(zlib.compress(sample, _FAST)) < _WORTH_PACKING * len(sample)
    return _FAST if gains else _STORED
