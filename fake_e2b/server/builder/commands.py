"""Runs a build's commands in its guest and hears what they say, line by line."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fake_e2b.backend.envd import SYSTEM_PATH
from fake_e2b.backend.spawning import Command, as_known, spawn_command
from fake_e2b.domain.ports import Guest
from fake_e2b.domain.process import Output, ProcessExit
from fake_e2b.domain.user import User

SHELL = "/bin/bash"
_LONGEST_LINE = 16 * 1024
"""Bytes; a longer line is told in pieces."""

MOST_HEARD = 16 << 20
"""How much of what a build's commands say is kept; see `Ration`."""
_COST_OF_LINE = 200

Hear = Callable[[str, str], None]
"""``(stream, line)``, the stream as ``stdout`` or ``stderr``."""


@dataclass(slots=True)
class Ration:
    """What is left of what a build's commands may say.

    Attributes:
        left: Bytes, each line counted with what it costs to keep it.

    Fact: templates.build.log-bound
    """

    left: int = MOST_HEARD

    def take(self, line: str) -> bool:
        """Whether a line is still to be kept."""
        self.left -= len(line) + _COST_OF_LINE
        return self.left > 0


class _Lines:
    """Cuts output into lines."""

    def __init__(self, stream: str, hear: Hear) -> None:
        self._stream = stream
        self._hear = hear
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._tell(line)
        while len(self._rest) > _LONGEST_LINE:
            self._tell(self._rest[:_LONGEST_LINE])
            self._rest = self._rest[_LONGEST_LINE:]

    def end(self) -> None:
        if self._rest:
            self._tell(self._rest)

    def _tell(self, line: bytes) -> None:
        # What a terminal would show of a line that was written over is its last part.
        shown = line.rstrip(b"\r").rpartition(b"\r")[2]
        self._hear(self._stream, shown.decode(errors="replace"))


def environment(user: User, env_vars: Mapping[str, str]) -> dict[str, str]:
    """What a build's command finds in its environment; variables of the build win."""
    own = {"PATH": SYSTEM_PATH, "HOME": user.home, "USER": user.name, "LOGNAME": user.name}
    return as_known({**own, **env_vars})


async def run(
    guest: Guest,
    text: str,
    *,
    user: User,
    workdir: str | None,
    env_vars: Mapping[str, str],
    hear: Hear,
) -> ProcessExit:
    """Run a shell's text to its end; cancelled, it is killed.

    Raises:
        EnvdError: It could not be started.
    """
    command = Command(
        cmd=SHELL,
        args=("-l", "-c", text),
        env=environment(user, env_vars),
        cwd=workdir or user.home,
        user=user,
        pty=None,
        stdin=False,
    )
    process = await spawn_command(guest, command)
    lines = {name: _Lines(name, hear) for name in ("stdout", "stderr")}
    try:
        with process.subscribe() as events:
            async for event in events:
                if isinstance(event, Output):
                    lines[event.channel].feed(event.data)
        end = await process.wait()
    except asyncio.CancelledError:
        if process.exit is None:
            with contextlib.suppress(ProcessLookupError):  # it ends in this very moment
                process.signal(signal.SIGKILL)
        raise
    for each in lines.values():
        each.end()
    return end
