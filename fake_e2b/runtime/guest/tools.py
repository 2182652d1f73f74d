"""Running one of the machine's own small tools, from a process with or without threads."""

from __future__ import annotations

import os


def run_tool(*argv: str) -> bytes:
    """What the program prints; its errors go nowhere and its exit status is not looked at.

    Raises:
        OSError: It cannot be started.
    """
    reading, writing = os.pipe()
    with open(reading, "rb") as output, open(os.devnull, "r+b") as null:
        try:
            pid = os.posix_spawn(
                argv[0],
                argv,
                {"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, null.fileno(), 0),
                    (os.POSIX_SPAWN_DUP2, writing, 1),
                    (os.POSIX_SPAWN_DUP2, null.fileno(), 2),
                ],
            )
        finally:
            os.close(writing)
        text = output.read()
        os.waitpid(pid, 0)
    return text
