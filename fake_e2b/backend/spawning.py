"""Starting one command as envd does: working directory, wrapper, the texts of failures.

envd starts every command through a small shell wrapper that ends in `nice`. Here the program is
started directly, and only what the wrapper makes visible is brought about: `PWD`, and what `nice`
says about a program that cannot run.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fake_e2b.domain.envd_errors import EnvdError, EnvdKind
from fake_e2b.domain.file_ports import Files
from fake_e2b.domain.ports import Guest, Process
from fake_e2b.domain.process import PtySize, SpawnError, SpawnRequest
from fake_e2b.domain.user import User

_SHELL = "/bin/sh"
_NICE = "/usr/bin/nice"
# `$1` is what to say on stderr, `$2` the exit status.
_COMPLAIN = 'printf "%s\\n" "$1" >&2; exit "$2"'


@dataclass(frozen=True, slots=True)
class Command:
    """What a client wants started; `cwd` is resolved, `env` complete and `as_known`."""

    cmd: str
    args: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    user: User
    pty: PtySize | None
    stdin: bool


async def spawn_command(guest: Guest, command: Command) -> Process:
    """Start a command.

    A program that is missing or cannot be executed is no error: a process starts that says so
    on stderr and exits with 127, 126 or 125.

    Raises:
        EnvdError: `CWD_MISSING`, `START_FAILED` or `PTY_START_FAILED`.

    Facts: envd.process.start.cwd, envd.process.start.bad-command
    """
    request = _request(guest.files, command)
    if command.cmd.startswith("-"):
        return await _spawn(guest, command, _complaint(request, _option_error(command.cmd), 125))
    try:
        return await guest.spawn(request)
    except SpawnError as error:
        if error.stage != "exec" or error.errno == errno.E2BIG:
            raise _refusal(command, _fork_error(error)) from error
        failure = error
    if failure.errno == errno.ENOEXEC:
        script = _search(guest.files, command)
        return await _spawn(guest, command, replace(request, argv=(_SHELL, script, *command.args)))
    text = f"{_NICE}: '{command.cmd}': {failure.strerror}"
    status = 127 if failure.errno == errno.ENOENT else 126
    return await _spawn(guest, command, _complaint(request, text, status))


async def _spawn(guest: Guest, command: Command, request: SpawnRequest) -> Process:
    try:
        return await guest.spawn(request)
    except SpawnError as error:
        raise _refusal(command, _fork_error(error)) from error


def _request(files: Files, command: Command) -> SpawnRequest:
    working_directory = command.cwd
    if "\0" in command.cwd or "\0" in command.cmd or any("\0" in arg for arg in command.args):
        raise _refusal(command, f"fork/exec {_SHELL}: invalid argument")
    try:
        working_directory = files.realpath(command.cwd)
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise EnvdError(EnvdKind.CWD_MISSING, cwd=command.cwd) from error
        raise _refusal(command, _fork_error(error)) from error
    if any("\0" in text for pair in command.env.items() for text in pair):
        raise _refusal(command, "exec: environment variable contains NUL")
    return SpawnRequest(
        argv=(command.cmd, *command.args),
        # The wrapping shell sets it, whatever the request said.
        env={**command.env, "PWD": working_directory},
        cwd=command.cwd,
        user=command.user,
        pty=command.pty,
        stdin=command.stdin,
    )


def as_known(env: Mapping[str, str]) -> dict[str, str]:
    """The kernel knows only NAME=VALUE, so a name ends at its first equals sign; none is nothing.

    Fact: envd.process.environment.names
    """
    pairs = (f"{name}={value}".partition("=") for name, value in env.items())
    return {name: value for name, _, value in pairs if name}


def _complaint(request: SpawnRequest, text: str, status: int) -> SpawnRequest:
    return replace(request, argv=(_SHELL, "-c", _COMPLAIN, _SHELL, text, str(status)))


def _option_error(cmd: str) -> str:
    if cmd.startswith("--"):
        problem = f"unrecognized option '{cmd}'"
    else:
        problem = f"invalid option -- '{cmd[1:2]}'"
    return f"{_NICE}: {problem}\nTry '{_NICE} --help' for more information."


def _search(files: Files, command: Command) -> str:
    """The path of a program that exists, as the search in PATH finds it."""
    if "/" in command.cmd:
        return command.cmd
    for folder in command.env.get("PATH", "").split(":"):
        path = f"{folder or '.'}/{command.cmd}"
        try:
            if stat.S_ISREG(files.stat(path).mode):
                return path
        except OSError:
            continue
    return command.cmd


def _fork_error(error: OSError) -> str:
    return f"fork/exec {_SHELL}: {go_reason(error)}"


def go_reason(error: OSError) -> str:
    """The operating system's text as Go writes it: without a capital."""
    text = error.strerror or "unknown error"
    return text[:1].lower() + text[1:]


def _refusal(command: Command, reason: str) -> EnvdError:
    shown = " ".join((command.cmd, *command.args))
    if command.pty is None:
        return EnvdError(EnvdKind.START_FAILED, command=shown, reason=reason)
    return EnvdError(
        EnvdKind.PTY_START_FAILED,
        command=shown,
        cwd=command.cwd,
        cols=command.pty.cols,
        rows=command.pty.rows,
        reason=reason,
    )
