"""`fake-e2b seed`: fills a running fake from a file."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from fake_e2b.cli.remote import add_where, ask, running_fake
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.seed.forms import SeedError
from fake_e2b.domain.seed.outcome import SeedFailedError, SeedItem
from fake_e2b.testing.seed_file import LoadedSeed, load_seed

_REFUSED = 1


def add_parser(commands: Any) -> None:
    """Add `seed` to the commands."""
    parser = commands.add_parser(
        "seed",
        help="fill a running fake from a file",
        description="Fill a running fake with what a TOML or JSON file names and is not there: all "
        "of it or nothing. A second time changes nothing. See docs/seeding.md.",
        epilog="Exit status: 0 when all is there, 1 when something could not be made or is there "
        "already and differs, 2 when the file is wrong or no fake answers.",
        allow_abbrev=False,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="what to fill it with")
    add_where(parser)
    parser.add_argument("--json", action="store_true", help="report as one JSON document")
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Fill it; 0, or 1 when the fake as it is cannot have all of it.

    Raises:
        UsageError: The file is wrong, or no fake answers.
    """
    loaded = load_seed(arguments.file)
    url = running_fake(arguments)
    status, answer = ask(url, "/_fake/seed", loaded.document, timeout_s=None)
    if status in (200, 201):
        print(json.dumps(answer, indent=2) if arguments.json else _report(answer))
        return 0
    return _refused(loaded, url, status, answer if isinstance(answer, dict) else {})


def _refused(loaded: LoadedSeed, url: str, status: int, answer: dict[str, Any]) -> int:
    message = str(answer.get("message", f"status {status}"))
    where = answer.get("section"), int(answer.get("index", 0))
    if status == 409:
        _say("nothing was changed, because something is there already and differs:")
        for each in answer.get("conflicts", [message]):
            _say(f"  {each}")
        return _REFUSED
    if status == 422:
        _say(f"nothing was changed: {_placed(loaded, SeedFailedError(message, *where))}")
        return _REFUSED
    if status == 400:
        raise UsageError(_placed(loaded, SeedError(message, *where)))
    raise UsageError(f"the fake at {url} cannot be filled: {message}")


def _placed(loaded: LoadedSeed, error: SeedError | SeedFailedError) -> str:
    return f"{loaded.place(error.section, error.index)}: {error}"


def _say(text: str) -> None:
    print(f"fake-e2b: {text}", file=sys.stderr)


def _report(answer: dict[str, Any]) -> str:
    made = [f"made {SeedItem(**each)}" for each in answer["made"]]
    there = len(answer["unchanged"])
    if not made:
        return f"nothing changed: all {there} are there already"
    return "\n".join([*made, f"{len(made)} made, {there} there already"])
