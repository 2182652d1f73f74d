"""`fake-e2b env`: the variables that point a client at a running server."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from fake_e2b.cli.exports import SHELLS, render
from fake_e2b.cli.options import DEFAULT_PORT, port_number
from fake_e2b.cli.remote import ask, checked_url
from fake_e2b.domain.errors import UsageError
from fake_e2b.server.trust import TRUST
from fake_e2b.testing.environment import completed

_TOKENS = {
    "userToken": "FAKE_E2B_USER_TOKEN",
    "adminToken": "FAKE_E2B_ADMIN_TOKEN",
    "teamID": "FAKE_E2B_TEAM_ID",
}
_URLS = ("E2B_API_URL", "E2B_SANDBOX_URL", "E2B_VOLUME_API_URL")


def add_parser(commands: Any) -> None:
    """Add `env` to the commands."""
    parser = commands.add_parser(
        "env",
        help="print the variables for a running server",
        description='Print the variables for a running server: eval "$(fake-e2b env)".',
        allow_abbrev=False,
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--port",
        type=port_number,
        default=DEFAULT_PORT,
        help=f"its port on this machine (default: {DEFAULT_PORT})",
    )
    where.add_argument("--url", help="its address, when it is not on this machine")
    parser.add_argument(
        "--shell", choices=tuple(SHELLS), default="posix", help="in which syntax (default: posix)"
    )
    parser.add_argument(
        "--tokens",
        action="store_true",
        help=f"print those of users and administrators, too: {', '.join(_TOKENS.values())}",
    )
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Ask the server and print; 0.

    Raises:
        UsageError: Nothing answers there, or something that is no fake-e2b.
    """
    url = checked_url(arguments.url or f"http://127.0.0.1:{arguments.port}")
    variables = _ask(url, "env", "E2B_API_KEY")
    # Reached by another name, it is to be used by that name, unless it is by its domain alone.
    variables.update({name: url for name in _URLS if variables.get(name)})
    _drop_absent_files(variables)
    variables = completed(variables, os.environ)
    if arguments.tokens:
        found = _ask(url, "credentials", *_TOKENS)
        variables.update({name: found[key] for key, name in _TOKENS.items()})
    print(render(arguments.shell, variables))
    return 0


def _drop_absent_files(variables: dict[str, str]) -> None:
    """A server on another machine names files that are there."""
    absent = [name for name in TRUST if name in variables and not Path(variables[name]).exists()]
    for name in absent:
        del variables[name]
    if absent:
        print(
            "fake-e2b: the server's certificates are not on this machine: programs here will not "
            "trust it over TLS",
            file=sys.stderr,
        )


def _ask(url: str, page: str, *expected: str) -> dict[str, str]:
    status, variables = ask(url, f"/_fake/{page}")
    if status != 200:
        raise UsageError(f"what answers at {url} is no fake-e2b (status {status})")
    if not isinstance(variables, dict) or not variables.keys() >= set(expected):
        raise UsageError(f"what answers at {url} is no fake-e2b (it sent no variables)")
    return {str(name): str(value) for name, value in variables.items()}
