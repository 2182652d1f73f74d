"""`fake-e2b serve`: a fake until it is told to stop."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fake_e2b._version import __version__
from fake_e2b.cli.exports import render
from fake_e2b.cli.options import DEFAULT_PORT, add_fake_options, make_fake, port_number, variables
from fake_e2b.cli.signals import SignalPipe
from fake_e2b.domain.errors import UsageError
from fake_e2b.server.host import is_loopback
from fake_e2b.testing import FakeE2B

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_REMOTE_WARNING = (
    "warning: listening on {host}: whoever reaches this address can run commands here, "
    "as the user who started fake-e2b"
)


def add_parser(commands: Any) -> None:
    """Add `serve` to the commands."""
    parser = commands.add_parser(
        "serve",
        help="serve a fake until Ctrl-C",
        description="Serve a fake until Ctrl-C. Prints the variables a client needs on standard "
        "output once it answers, everything else on standard error.",
        allow_abbrev=False,
    )
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: 127.0.0.1)")
    parser.add_argument(
        "--port",
        type=port_number,
        default=DEFAULT_PORT,
        help=f"0 takes a free one (default: {DEFAULT_PORT})",
    )
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="permit a --host that other machines reach; they can run commands here then",
    )
    parser.add_argument(
        "--debug-ports",
        action="store_true",
        help="listen at the fixed ports of clients with E2B_DEBUG=true too (3000, 49983, 49999), "
        "with one sandbox behind them; --runtime auto means local then",
    )
    parser.add_argument(
        "--ready-file",
        type=Path,
        metavar="PATH",
        help="write the export lines there once it answers; removed at the end",
    )
    parser.add_argument(
        "--journal",
        type=Path,
        metavar="FILE",
        help="write what is asked and what happens there, one JSON object a line",
    )
    add_fake_options(parser)
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Serve; 0 after SIGTERM, 128 + signal after Ctrl-C or a hang-up.

    Raises:
        UsageError: It cannot listen there, or an option cannot be fulfilled.
    """
    fake = make_fake(
        arguments,
        host=arguments.host,
        port=arguments.port,
        allow_remote=arguments.allow_remote,
        debug_ports=arguments.debug_ports,
    )
    with SignalPipe(_STOPS) as signals, _started(fake, arguments.port):
        if arguments.journal is not None:
            fake.journal.stream_to(arguments.journal)
        exports = render("posix", variables(fake, arguments))
        if not is_loopback(arguments.host):
            print(_REMOTE_WARNING.format(host=arguments.host), file=sys.stderr)
        print(
            f"fake-e2b {__version__} serves at {_places(fake)}\n"
            f"Give your program the variables below; look at {fake.url}/_fake/; "
            "stop with Ctrl-C.\n"
            f"Tokens of users and administrators: {fake.url}/_fake/credentials, "
            "or fake-e2b env --tokens.",
            file=sys.stderr,
            flush=True,
        )
        print(exports, flush=True)
        with _ready_file(arguments.ready_file, exports):
            number = signals.next()
    return 0 if number == signal.SIGTERM else 128 + number


def _places(fake: FakeE2B) -> str:
    return fake.url if fake.ca_file is None else f"{fake.url} and https://api.{fake.domain}"


@contextlib.contextmanager
def _started(fake: FakeE2B, port: int) -> Iterator[None]:
    try:
        fake.start()
    except UsageError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE:
            raise UsageError(
                f"{error}. Is another fake-e2b running? Choose a port with --port N, "
                "or any free one with --port 0"
            ) from error
        raise
    try:
        yield
    finally:
        fake.stop()


@contextlib.contextmanager
def _ready_file(path: Path | None, text: str) -> Iterator[None]:
    """Keep `text` in `path` for the block: there at once and whole, for the owner's eyes only."""
    if path is None:
        yield
        return
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise UsageError(f"cannot write --ready-file {path}: {error.strerror}") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
