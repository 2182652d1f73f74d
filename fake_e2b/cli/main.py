"""The console script `fake-e2b`: picks the command, turns usage errors into exit status 2."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from fake_e2b._version import __version__
from fake_e2b.cli import doctor, env, export, run, scenario, seed, serve
from fake_e2b.domain.errors import UsageError

EXIT_USAGE = 2
_DESCRIPTION = """
A fake of the E2B API with real sandboxes on this machine, for tests without an account.
"""
_EPILOG = """
Most used:
  fake-e2b run -- npm test        a fresh fake for the length of one command
  fake-e2b serve                  one on port 3000, until Ctrl-C
  eval "$(fake-e2b env)"          point this shell at the one on port 3000
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status.

    Args:
        argv: The arguments; None takes the process's own.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    options, command = run.split_off_command(given)
    arguments = _parser().parse_args(options)
    arguments.after_dashes = command
    try:
        status: int = arguments.execute(arguments)
        sys.stdout.flush()
    except UsageError as error:
        print(f"fake-e2b: error: {error}", file=sys.stderr)
        return EXIT_USAGE
    except BrokenPipeError:
        # Whoever read our output has had enough; the interpreter must not complain at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fake-e2b",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"fake-e2b {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (serve, run, env, seed, export, scenario, doctor):
        command.add_parser(commands)
    return parser
