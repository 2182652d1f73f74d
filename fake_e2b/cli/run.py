"""`fake-e2b run -- COMMAND…`: a fresh fake for the length of one command.

The command shares the terminal. In a terminal it stays in our process group, so Ctrl-C, Ctrl-Z and
job control work as if it had been started by the shell; the kernel brings it the keyboard's
signals, and only those sent to us alone are passed on. Without a terminal it gets a group of its
own and what we are sent goes to the whole group: a shell that is told to end takes along what it
started.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fake_e2b.cli.options import add_fake_options, make_fake, require, variables
from fake_e2b.cli.signals import NOTIFIED, SignalPipe
from fake_e2b.server.authority import available
from fake_e2b.testing.sdk_age import TlsChoice, old_node_sdk

_FORWARDED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
_FROM_KEYBOARD = (signal.SIGINT, signal.SIGQUIT)
_NOT_EXECUTABLE = 126
_NOT_FOUND = 127
_FORM = "give a command: fake-e2b run [options] -- COMMAND [ARGUMENT ...]"


def add_parser(commands: Any) -> None:
    """Add `run` to the commands."""
    parser = commands.add_parser(
        "run",
        help="run a command with a fresh fake",
        description="Run a command with a fresh fake on a free port, and return its exit status "
        "(128 + signal when a signal ended it).",
        usage="fake-e2b run [options] -- COMMAND [ARGUMENT ...]",
        allow_abbrev=False,
    )
    add_fake_options(parser)
    parser.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.set_defaults(execute=execute)


def split_off_command(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Cut a `run` command line at its first ``--``; argparse, by version, handles it differently.

    Returns:
        What argparse is to see, and what comes from the ``--`` on.
    """
    if argv and argv[0] == "run" and "--" in argv:
        at = argv.index("--")
        return list(argv[:at]), list(argv[at:])
    return list(argv), []


def execute(arguments: argparse.Namespace) -> int:
    """Run the command; its exit status, 126 or 127 when it cannot be started.

    Raises:
        UsageError: There is no command, or an option cannot be fulfilled.
    """
    # A ``--`` behind the command's first word is the command's own.
    command = arguments.command + arguments.after_dashes[0 if arguments.command else 1 :]
    require(command, _FORM)
    arguments.tls = _tls_for(Path.cwd(), arguments.tls)
    with SignalPipe(_FORWARDED) as signals:
        fake = make_fake(arguments)
        with fake:
            early = signals.pending()
            if early is not None:
                return 128 + early
            return _run(command, {**os.environ, **variables(fake, arguments)}, signals)


def _tls_for(folder: Path, choice: TlsChoice) -> TlsChoice:
    """Turn TLS on for an old JavaScript SDK, which `FakeE2B` itself does for Python's only."""
    old = old_node_sdk(folder) if choice == "auto" else None
    if old is None:
        return choice
    missing = available()
    if missing is not None:
        print(f"fake-e2b: {old} finds a fake by TLS only. {missing}", file=sys.stderr)
        return choice
    return True


def _run(command: Sequence[str], env: Mapping[str, str], signals: SignalPipe) -> int:
    own_group = not _has_terminal()
    sys.stdout.flush()
    try:
        process = subprocess.Popen(command, env=env, process_group=0 if own_group else None)
    except OSError as error:
        print(f"fake-e2b: cannot run {command[0]}: {error.strerror}", file=sys.stderr)
        return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE

    def wait() -> None:
        process.wait()
        signals.notify()

    threading.Thread(target=wait, daemon=True).start()
    while (number := signals.next()) != NOTIFIED:
        _forward(process, number, to_group=own_group)
    status = process.returncode
    return 128 - status if status < 0 else status


def _forward(process: subprocess.Popen[bytes], number: int, *, to_group: bool) -> None:
    if number in _FROM_KEYBOARD and not to_group and _is_in_foreground():
        return  # the kernel sent it to the command as well
    if to_group and process.returncode is None:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return  # it ended this moment
    else:
        process.send_signal(number)


def _has_terminal() -> bool:
    return _foreground_group() is not None


def _is_in_foreground() -> bool:
    return _foreground_group() == os.getpgrp()


def _foreground_group() -> int | None:
    """The process group that the keyboard talks to; None without a controlling terminal."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return None
    try:
        return os.tcgetpgrp(terminal)
    except OSError:
        return None
    finally:
        os.close(terminal)
