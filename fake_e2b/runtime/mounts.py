"""Which kind of file system a file lies on."""

from __future__ import annotations

import ctypes
import sys

# The numbers of statfs(2): NFS, SMB, CIFS, SMB2, FUSE.
_NETWORK = frozenset({0x6969, 0x517B, 0xFF534D42, 0xFE534D42, 0x65735546})
# Larger than struct statfs anywhere; its first field is a long, the kind.
_STATFS_BYTES = 256
_LIBC = ctypes.CDLL(None, use_errno=True)


def is_network_filesystem(descriptor: int) -> bool:
    """Whether an open file lies on NFS, CIFS, SMB or FUSE; False where that can't be told."""
    if sys.platform != "linux":
        return False
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    if _LIBC.fstatfs(descriptor, buffer) != 0:
        return False
    kind = ctypes.c_long.from_buffer(buffer).value
    return kind & 0xFFFFFFFF in _NETWORK
