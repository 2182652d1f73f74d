"""Running the machine's own small tools, from a process with or without threads."""

from __future__ import annotations

import os
from collections.abc import Sequence


def run_tool(*argv: str) -> bytes:
    """What the program prints; its errors go nowhere and its exit status is not looked at.

    Raises:
        OSError: It cannot be started.
    """
    reading, writing = os.pipe()
    with open(reading, "rb") as output, open(os.devnull, "r+b") as null:
        try:
            pid = _start(argv, null.fileno(), writing)
        finally:
            os.close(writing)
        text = output.read()
        os.waitpid(pid, 0)
    return text


def run_together(commands: Sequence[tuple[str, ...]]) -> None:
    """Run several at the same time and wait for all; whatever they print goes nowhere.

    Raises:
        OSError: One cannot be started; those before it have ended.
    """
    pids: list[int] = []
    with open(os.devnull, "r+b") as null:
        try:
            for argv in commands:
                pids.append(_start(argv, null.fileno(), null.fileno()))
        finally:
            for pid in pids:
                os.waitpid(pid, 0)


def _start(argv: tuple[str, ...], null: int, output: int) -> int:
    return os.posix_spawn(
        argv[0],
        argv,
        {"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        file_actions=[
            (os.POSIX_SPAWN_DUP2, null, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, null, 2),
        ],
    )
