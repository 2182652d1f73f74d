"""Names for the code of cells.

A traceback that cannot say "Cell In[3]" (a SyntaxError's text) shows the last part of the cell's
file name, which is a hash of the code: MurmurHash2 (32 bits) with the seed that IPython kernels
use by default.

Fact: interpreter.python.syntax-error
"""

from __future__ import annotations

import os
import tempfile

from IPython.core.compilerop import CachingCompiler

_SEED = 0xC70F6907
_MULTIPLIER = 0x5BD1E995
_WORD = 0xFFFFFFFF


def murmur2(data: bytes, seed: int) -> int:
    """Austin Appleby's MurmurHash2 of `data`."""
    value = (seed ^ len(data)) & _WORD
    whole = len(data) // 4 * 4
    for start in range(0, whole, 4):
        block = int.from_bytes(data[start : start + 4], "little") * _MULTIPLIER & _WORD
        block = (block ^ block >> 24) * _MULTIPLIER & _WORD
        value = value * _MULTIPLIER & _WORD ^ block
    if tail := data[whole:]:
        value = (value ^ int.from_bytes(tail, "little")) * _MULTIPLIER & _WORD
    value = (value ^ value >> 13) * _MULTIPLIER & _WORD
    return value ^ value >> 15


class CellCompiler(CachingCompiler):
    """Compiles cells under file names that are unique to their code."""

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        """The file name of one cell."""
        folder = os.path.join(tempfile.gettempdir(), f"ipykernel_{os.getpid()}")
        name = murmur2(raw_code.encode(errors="surrogatepass"), _SEED)
        return os.path.join(folder, f"{name}.py")
