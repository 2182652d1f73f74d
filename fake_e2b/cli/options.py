"""The options by which a command makes a fake."""

from __future__ import annotations

import argparse
from pathlib import Path

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.plan import PLANS
from fake_e2b.domain.steering.profiles import names
from fake_e2b.server.settings import DEFAULT_DOMAIN
from fake_e2b.testing import FakeE2B
from fake_e2b.testing.template_file import load_templates

DEFAULT_PORT = 3000
_HIGHEST_PORT = 65535


def add_fake_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `make_fake` reads."""
    group = parser.add_argument_group("the fake")
    group.add_argument(
        "--runtime",
        choices=("auto", "local", "isolated"),
        default="auto",
        help="what sandboxes run in; auto takes the best that this machine can do, "
        "see 'fake-e2b doctor' (default: auto)",
    )
    group.add_argument(
        "--clock",
        choices=("real", "manual"),
        default="real",
        help="manual stands still until it is moved, see /_fake/clock (default: real)",
    )
    group.add_argument(
        "--build-network",
        choices=("record", "allow", "fail"),
        default="record",
        help="what becomes of a template build's commands that would download (default: record)",
    )
    group.add_argument(
        "--remote-webhooks",
        action="store_true",
        help="deliver events to webhooks on other machines, too (default: loopback only)",
    )
    group.add_argument(
        "--seed",
        type=seed_number,
        metavar="N",
        help="the same seed gives the same IDs and tokens in the same order",
    )
    group.add_argument(
        "--plan",
        choices=tuple(PLANS),
        help="the plan whose limits and rates hold, see docs/plans.md (default: none)",
    )
    group.add_argument(
        "--profile",
        choices=names(),
        metavar="NAME",
        help=f"a set of faults that is in force from the start: {', '.join(names())}; "
        "see docs/faults.md",
    )
    group.add_argument(
        "--tls",
        action=argparse.BooleanOptionalAction,
        default="auto",
        help="take TLS besides plain HTTP on the same port, and let clients find the fake by "
        "E2B_DOMAIN alone (default: only where an SDK older than 2.7 is installed here)",
    )
    group.add_argument(
        "--domain",
        default=DEFAULT_DOMAIN,
        metavar="NAME[:PORT]",
        help="what stands behind PORT-SANDBOX. in host names; with a port of its own where "
        f"something in front of the fake listens for it (default: {DEFAULT_DOMAIN})",
    )
    group.add_argument(
        "--api-key",
        action="append",
        default=[],
        metavar="KEY",
        help="a key that is valid, in place of a made-up one; may be given several times",
    )
    group.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help="keep templates, volumes, snapshots, secrets, paused sandboxes and the API's records "
        "there for the next start; see docs/state.md (default: all is gone at the end)",
    )
    group.add_argument(
        "--access-tokens",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="take personal access tokens, which the service has deprecated (default: yes)",
    )
    group.add_argument(
        "--templates",
        type=Path,
        metavar="FILE",
        help="a TOML file with templates of your own, see docs/templates.md",
    )
    group.add_argument(
        "--fill",
        type=Path,
        metavar="FILE",
        help="a TOML or JSON file with what is there from the start: teams, secrets, volumes, "
        "templates, sandboxes, webhooks; see docs/seeding.md",
    )


def make_fake(
    arguments: argparse.Namespace,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    allow_remote: bool = False,
    debug_ports: bool = False,
) -> FakeE2B:
    """A fake as the options say, not started; this process's environment stays as it is."""
    return FakeE2B(
        runtime=arguments.runtime,
        clock=arguments.clock,
        build_network=arguments.build_network,
        remote_webhooks=arguments.remote_webhooks,
        access_tokens=arguments.access_tokens,
        seed=arguments.seed,
        plan=arguments.plan,
        profile=arguments.profile,
        state=arguments.state,
        fill=arguments.fill,
        api_keys=arguments.api_key,
        tls=arguments.tls,
        domain=arguments.domain,
        templates=[] if arguments.templates is None else load_templates(arguments.templates),
        host=host,
        port=port,
        allow_remote=allow_remote,
        debug_ports=debug_ports,
        set_environment=False,
    )


def variables(fake: FakeE2B, arguments: argparse.Namespace) -> dict[str, str]:
    """What a client of the started fake needs; with the first key that was asked for, if any."""
    chosen = {"E2B_API_KEY": arguments.api_key[0]} if arguments.api_key else {}
    return {**fake.env(), **chosen}


def port_number(text: str) -> int:
    """A port from the command line; 0 means any free one.

    Raises:
        argparse.ArgumentTypeError: It is no port.
    """
    if not (text.isascii() and text.isdecimal()) or int(text[:6]) > _HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"'{text}' is no port: give a number up to 65535")
    return int(text)


def seed_number(text: str) -> int:
    """A seed from the command line.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise argparse.ArgumentTypeError(f"'{text}' is no seed: give a whole number from 0")
    return int(text)


def require(condition: object, message: str) -> None:
    """Refuse what was typed unless `condition` is true.

    Raises:
        UsageError: It is not.
    """
    if not condition:
        raise UsageError(message)
