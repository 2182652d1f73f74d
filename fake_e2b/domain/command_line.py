"""What a request runs: the command line of `Process.Start`, the code of `execute`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

_SHELLS = ("bash", "sh")


def command_of(operation: str, body: object) -> str | None:
    """The command line or the code; None where nothing runs.

    A command that SDKs give to a login shell is what stands behind its ``-c``; any other is
    quoted as a shell would be given it.

    >>> command_of("Process.Start", {"process": {"cmd": "/bin/bash", "args": ["-lc", "ls -a"]}})
    'ls -a'

    Args:
        body: The parsed JSON body or decoded message.
    """
    if not isinstance(body, Mapping):
        return None
    if operation == "execute":
        code = body.get("code")
        return code if isinstance(code, str) else None
    if operation != "Process.Start":
        return None
    return command_line(body.get("process"))


def command_line(config: object) -> str | None:
    """The command line of a process as its client described it, a `ProcessConfig`."""
    if not isinstance(config, Mapping):
        return None
    program, arguments = config.get("cmd"), config.get("args", ())
    if not isinstance(program, str) or not isinstance(arguments, Sequence):
        return None
    words: list[Any] = [program, *arguments]
    if not all(isinstance(word, str) for word in words):
        return None
    return shell_command(words) or shlex.join(words)


def shell_command(words: Sequence[str]) -> str | None:
    """What a shell is asked to run by ``-c``; None for every other program.

    >>> shell_command(["/bin/bash", "-l", "-c", "echo hi"])
    'echo hi'
    """
    program, *options = words
    if program.rpartition("/")[2] not in _SHELLS or len(options) < 2:
        return None
    *flags, command = options
    if not all(flag.startswith("-") for flag in flags) or not flags[-1].endswith("c"):
        return None
    return command
