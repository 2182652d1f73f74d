"""The interpreter that kernels run, so that their cells cannot change it.

A cell that runs as root reaches its own program through `/proc/self/exe`. Where the host's root is
the sandbox's, that is a file of the machine which it may change: the program is started from a
mount of its own that is read-only.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

# The same numbers on every architecture.
_OPEN_TREE, _MOUNT_SETATTR = 428, 442
_AT_FDCWD, _AT_EMPTY_PATH = -100, 0x1000
_OPEN_TREE_CLONE = 1
_READ_ONLY = struct.pack("=4Q", 1, 0, 0, 0)


def locked_program(path: str) -> int | None:
    """A descriptor to start `path` from, the caller's to close; None where it is not needed.

    None as well where the kernel refuses: then it runs as it is.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    target = os.fsencode(os.path.realpath(path))
    descriptor: int = libc.syscall(_OPEN_TREE, _AT_FDCWD, target, _OPEN_TREE_CLONE | os.O_CLOEXEC)
    if descriptor < 0:
        return None
    if libc.syscall(_MOUNT_SETATTR, descriptor, b"", _AT_EMPTY_PATH, _READ_ONLY, len(_READ_ONLY)):
        os.close(descriptor)
        return None
    return descriptor
