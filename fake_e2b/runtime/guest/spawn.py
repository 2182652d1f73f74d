"""Starting one program: pipes or a terminal, and who is told what went wrong.

`posix_spawn` shares the memory until the exec (vfork), so a start costs a fraction of a fork. It
cannot change folders, but the agent has no other thread: it steps into the folder, starts the
program and steps back.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import struct
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"
# What the helper ignores or Python does: a program starts with the defaults.
_RESET_SIGNALS = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
)


class StartError(Exception):
    """A program could not be started: at which stage, with which errno."""

    def __init__(self, stage: str, number: int) -> None:
        super().__init__(stage, number)
        self.stage = stage
        self.errno = number


class Started:
    """A started program and the server's ends: `[stdin,] stdout, stderr`, or the PTY's master."""

    def __init__(self, pid: int, fds: list[int]) -> None:
        self.pid = pid
        self.fds = fds


class Spawner:
    """Starts programs with the caller's own identity.

    Attributes:
        group: The process group of the programs without a terminal. They share it, as under the
            real daemon, but the agent is not in it: `kill 0` must not end the sandbox.
    """

    def __init__(self) -> None:
        self.group = 0

    def start(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: str,
        *,
        pty: Sequence[int] | None,
        stdin: bool,
    ) -> Started:
        """Start `argv` in `cwd`; `pty` is `(columns, rows)` or None for pipes.

        Raises:
            StartError: It did not start; nothing is left behind.
        """
        with ExitStack() as ours, ExitStack() as theirs:
            try:
                if pty is None:
                    fds, actions = _pipes(ours, theirs, stdin)
                else:
                    fds, actions = _terminal(ours, theirs, pty)
            except OSError as error:
                raise StartError("fork", error.errno or errno.EIO) from error
            try:
                os.chdir(cwd)
            except OSError as error:
                raise StartError("cwd", error.errno or errno.EIO) from error
            try:
                pid = self._exec(argv, env, actions, new_session=pty is not None)
            finally:
                os.chdir("/")
            ours.pop_all()
            return Started(pid, fds)

    def _exec(
        self, argv: Sequence[str], env: Mapping[str, str], actions: list[object], new_session: bool
    ) -> int:
        failure = errno.ENOENT
        for program in _candidates(argv[0], env.get("PATH", _DEFAULT_PATH)):
            try:
                return self._spawn(program, argv, env, actions, new_session)
            except OSError as error:
                if error.errno == errno.ENOEXEC:  # as execvp: a script without a first line
                    shell = ("/bin/sh", program, *argv[1:])
                    return self._spawn("/bin/sh", shell, env, actions, new_session)
                if error.errno in (errno.EAGAIN, errno.ENOMEM):
                    raise StartError("fork", error.errno) from error
                if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                    failure = error.errno or errno.EIO
                    if failure != errno.EACCES:
                        break
        raise StartError("exec", failure)

    def _spawn(
        self,
        program: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        actions: list[object],
        new_session: bool,
    ) -> int:
        # mypy does not know the shapes of file actions
        common = {
            "file_actions": actions,
            "setsigmask": (),
            "setsigdef": _RESET_SIGNALS,
        }
        if new_session:
            return os.posix_spawn(program, argv, env, setsid=True, **common)  # type: ignore[arg-type]
        if not _group_exists(self.group):
            self.group = 0
        try:
            pid = os.posix_spawn(program, argv, env, setpgroup=self.group, **common)  # type: ignore[arg-type]
        except PermissionError:
            if not self.group:
                raise
            # Its last member has left it since, for a session of its own perhaps.
            self.group = 0
            pid = os.posix_spawn(program, argv, env, setpgroup=0, **common)  # type: ignore[arg-type]
        self.group = self.group or pid
        return pid


def _group_exists(group: int) -> bool:
    if not group:
        return False
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _candidates(program: str, path: str) -> Iterator[str]:
    if not program:
        return
    if "/" in program:
        yield program
        return
    for folder in path.split(":"):
        candidate = os.path.join(folder or ".", program)
        if os.path.lexists(candidate):
            yield candidate


def _pipe() -> tuple[int, int]:
    return os.pipe()  # close-on-exec already


def _keep(stack: ExitStack, fd: int) -> int:
    stack.callback(os.close, fd)
    return fd


def _pipes(ours: ExitStack, theirs: ExitStack, stdin: bool) -> tuple[list[int], list[object]]:
    fds: list[int] = []
    if stdin:
        reading, writing = _pipe()
        _keep(theirs, reading)
        fds.append(_keep(ours, writing))
    else:
        reading = _keep(theirs, os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    actions: list[object] = [(os.POSIX_SPAWN_DUP2, reading, 0)]
    for number in (1, 2):
        reading, writing = _pipe()
        fds.append(_keep(ours, reading))
        actions.append((os.POSIX_SPAWN_DUP2, _keep(theirs, writing), number))
    return fds, actions


def _terminal(
    ours: ExitStack, theirs: ExitStack, size: Sequence[int]
) -> tuple[list[int], list[object]]:
    master, slave = os.openpty()
    _keep(ours, master)
    _keep(theirs, slave)
    columns, rows = size
    fcntl.ioctl(
        master, termios.TIOCSWINSZ, struct.pack("HHHH", rows & 0xFFFF, columns & 0xFFFF, 0, 0)
    )
    # A session's leader that opens a terminal without O_NOCTTY takes it as its controlling one.
    return [master], [
        (os.POSIX_SPAWN_OPEN, 0, os.ttyname(slave), os.O_RDWR, 0),
        (os.POSIX_SPAWN_DUP2, 0, 1),
        (os.POSIX_SPAWN_DUP2, 0, 2),
    ]
