"""`fake-e2b scenario`: play stories through the published SDKs, list and check them."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
from pathlib import Path
from typing import Any

from fake_e2b.cli.options import seed_number
from fake_e2b.domain.errors import UsageError
from fake_e2b.scenario import report
from fake_e2b.scenario.drivers.choice import Drivers
from fake_e2b.scenario.loader import load
from fake_e2b.scenario.player import Performance, play
from fake_e2b.scenario.shipped import find, shipped_folder, shipped_names
from fake_e2b.scenario.stage import Stage, own_fake, target
from fake_e2b.scenario.story import SDKS, Scenario

_FAILED = 1
_INTERRUPTED = 128 + signal.SIGINT
_FILE_HELP = "a TOML file, or the name of a scenario that comes with the package"


def add_parser(commands: Any) -> None:
    """Add `scenario` to the commands."""
    parser = commands.add_parser(
        "scenario",
        help="play a story through an SDK and check what it shows",
        description="Play stories (TOML files of steps and what each must show) through a "
        "published SDK, on a fake of their own or on a server that runs. See docs/scenarios.md.",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_run(actions)
    listing = actions.add_parser("list", help="show those that come with the package")
    listing.add_argument("--json", action="store_true", help="as JSON")
    listing.set_defaults(execute=_list)
    check = actions.add_parser("check", help="read files without playing them")
    check.add_argument("files", nargs="+", metavar="FILE", help=_FILE_HELP)
    check.set_defaults(execute=_check)


def _add_run(actions: Any) -> None:
    parser = actions.add_parser(
        "run",
        help="play scenarios; exit status 0 if all went as told, 1 if not, 2 if they can't be",
        allow_abbrev=False,
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help=_FILE_HELP)
    parser.add_argument(
        "--sdk",
        choices=SDKS,
        default="python",
        help="which client; js takes the npm package e2b that is installed for this folder "
        "(default: python)",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--target",
        metavar="URL",
        help="a server that runs: a fake-e2b, or anything that speaks the API, which takes the "
        "key in E2B_API_KEY (default: a fake for each story)",
    )
    where.add_argument(
        "--runtime",
        choices=("auto", "local", "isolated"),
        default="auto",
        help="what sandboxes run in, for stories that do not say it (default: auto)",
    )
    parser.add_argument(
        "--reset", action="store_true", help="empty the target before each story; only a fake can"
    )
    parser.add_argument(
        "--seed", type=seed_number, metavar="N", help="in place of each story's own"
    )
    parser.add_argument("--json", action="store_true", help="report as one JSON document")
    parser.set_defaults(execute=_run)


def _run(arguments: argparse.Namespace) -> int:
    """Play all; 0, 1 when one did not go as told, 130 after Ctrl-C.

    Raises:
        UsageError: A file can't be understood, or not be played there.
    """
    scenarios = [load(find(each)) for each in arguments.files]
    if arguments.target is None and arguments.reset:
        raise UsageError("--reset goes with --target: a fake for one story is empty")
    if arguments.target is not None and arguments.seed is not None:
        raise UsageError("--seed goes without --target: a server that runs has its own")
    performances = []
    try:
        with Drivers(arguments.sdk, Path.cwd()) as drivers:
            for scenario in scenarios:
                performances.append(_played(scenario, arguments, drivers))
    except KeyboardInterrupt:
        print("fake-e2b: interrupted; what the story made is gone", file=sys.stderr)
        return _INTERRUPTED
    if arguments.json:
        print(report.as_json(performances))
    failed = sum(each.problem is not None for each in performances)
    if len(performances) > 1 and not arguments.json:
        print(f"\n{len(performances) - failed} passed, {failed} failed")
    return _FAILED if failed else 0


def _played(scenario: Scenario, arguments: argparse.Namespace, drivers: Drivers) -> Performance:
    on_stage: contextlib.AbstractContextManager[Stage]
    if arguments.target is None:
        on_stage = own_fake(scenario, seed=arguments.seed, runtime=arguments.runtime)
    else:
        on_stage = contextlib.nullcontext(target(arguments.target, reset=arguments.reset))
    if arguments.json:
        return play(scenario, on_stage, drivers.make)
    seed = scenario.seed if arguments.seed is None else arguments.seed
    print(report.heading(scenario, arguments.sdk, None if arguments.target else seed), flush=True)
    performance = play(
        scenario, on_stage, drivers.make, lambda each: print(report.line(each), flush=True)
    )
    print(report.verdict(performance), flush=True)
    return performance


def _list(arguments: argparse.Namespace) -> int:
    stories = [load(shipped_folder() / f"{name}.toml") for name in shipped_names()]
    if arguments.json:
        shown = [{"name": s.name, "title": s.title, "about": s.about} for s in stories]
        print(json.dumps({"scenarios": shown}, indent=2))
    else:
        width = max((len(each.name) for each in stories), default=0)
        for each in stories:
            print(f"{each.name:<{width}}  {each.about}")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    for given in arguments.files:
        scenario = load(find(given))
        print(f"{scenario.path}: {len(scenario.steps)} steps, in order")
    return 0
