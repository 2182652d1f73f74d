"""Runs a program in a network of its own, in which every port of loopback is free.

python own_network.py COMMAND…       (inside the new namespace: brings loopback up first)
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from functools import cache

_SET_FLAGS = 0x8914
_UP = 0x1


def in_own_network(*command: str) -> list[str]:
    """The command line that does it."""
    ids = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *ids, "--net", "--", sys.executable, __file__, *command]


@cache
def why_not() -> str:
    """Why no such network can be made here; empty when it can."""
    if shutil.which("unshare") is None:
        return "unshare is not installed"
    tried = subprocess.run(in_own_network("true"), capture_output=True, text=True)
    return "" if tried.returncode == 0 else f"no network of its own: {tried.stderr.strip()}"


def main() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
