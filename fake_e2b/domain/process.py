"""What envd runs: the request, its output, its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fake_e2b.domain.user import User

Channel = Literal["stdout", "stderr", "pty"]


@dataclass(frozen=True, slots=True)
class PtySize:
    """A terminal's size in characters; 0 is allowed, as in the kernel."""

    cols: int
    rows: int


@dataclass(frozen=True, slots=True)
class SpawnRequest:
    """Everything a runtime needs to start one process; paths are sandbox paths.

    Attributes:
        argv: Program and arguments. A program without a slash is searched in `env["PATH"]`.
        env: The whole environment; nothing is added but what the runtime's docs name.
        cwd: An absolute path.
        pty: The terminal's size; None for pipes.
        stdin: Whether a pipe is kept open as stdin; False means `/dev/null`. Ignored for a PTY.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    user: User
    pty: PtySize | None = None
    stdin: bool = True


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes as one read brought them: at most 32 KiB, 16 KiB from a PTY, never empty."""

    channel: Channel
    data: bytes


@dataclass(frozen=True, slots=True)
class ProcessExit:
    """How a process ended: by `code`, or by `signal` (the other one is None)."""

    code: int | None
    signal: int | None = None
    core_dumped: bool = False


class SpawnError(OSError):
    """A process could not be started.

    Attributes:
        stage: ``"cwd"`` when the working directory cannot be entered, ``"exec"`` when the
            program cannot be found or executed, ``"fork"`` for everything before.
    """

    def __init__(self, errno: int, strerror: str, stage: Literal["cwd", "exec", "fork"]) -> None:
        super().__init__(errno, strerror)
        self.stage = stage
