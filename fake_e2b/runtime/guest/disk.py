"""A guest's disk of limited size: a file system in memory, in the guest's own mount namespace.

The server fills it before the guest's view is built on it, and reads it when the guest has ended:
its descriptor keeps it alive.
"""

from __future__ import annotations

import os
import socket

from .frames import FrameReader, send
from .kernel import mount

_BYTES_PER_INODE = 16384
_FEWEST_INODES = 4096
_MIB = 1 << 20


def mount_disk(path: str, size_mb: int) -> None:
    """Mount an empty disk; as many files fit on it as on an ext4 of that size.

    Raises:
        OSError: The kernel refuses.
    """
    inodes = max(size_mb * _MIB // _BYTES_PER_INODE, _FEWEST_INODES)
    mount("tmpfs", path, "tmpfs", options=f"size={size_mb}m,nr_inodes={inodes},mode=755")


def lend(sock: socket.socket, path: str) -> bool:
    """Give the disk to the server until it says that it has filled it; False if it is gone."""
    reader = FrameReader()
    while reader.read(sock):
        for request, _ in reader.frames():
            if request["op"] != "disk":
                send(sock, {"re": request["re"]})
                return True
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            send(sock, {"re": request["re"]}, [folder])
            os.close(folder)
    return False
