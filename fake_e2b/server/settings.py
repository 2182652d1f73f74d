"""What can be chosen when a fake is made, and how clients find it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from fake_e2b.domain.downloads import NetworkMode
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.recipe import Definition
from fake_e2b.domain.seed.forms import Seed
from fake_e2b.wire.webhook_letter import WebhookKeys

RuntimeName = Literal["auto", "local", "isolated"]
ClockName = Literal["real", "manual"]

DEFAULT_DOMAIN = "e2b.localhost"
_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})+(:[1-9][0-9]{{0,4}})?")
_HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class Settings:
    """Choices for one fake.

    Attributes:
        runtime: ``"auto"`` takes the best that the machine can do.
        clock: ``"manual"`` stands still until it is moved.
        seed: Replays IDs and tokens; None takes a fresh one.
        api_keys: Further keys of the first team.
        teams: Further teams: slug to keys.
        plan: The name of the plan that holds for all teams, or the names by the teams' slugs.
        max_sandboxes: How many sandboxes each team may have running at once; None for what its
            plan says, 1,100 without one.
        max_connections: How many requests into one sandbox may be open at once; None for any
            number.
        max_length_hours: How long one run of a sandbox may last; None for what the plan says, 24
            without one.
        templates: Of the first team, in an order in which each finds its base.
        debug_ports: Whether clients with ``E2B_DEBUG=true`` find a sandbox at their fixed ports.
        profile: The name of the faults that are in force from the start.
        max_builds: How many template builds each team may have open at once.
        build_network: What becomes of a template build's commands that would download: they are
            recorded and not run, allowed to try, or fail.
        build_timeout_s: How long a template build may take, in real time.
        max_webhooks: How many webhooks each team may have.
        remote_webhooks: Whether events may be delivered to other machines than this one.
        webhook_keys: How the keys of delivered events are written.
        webhook_timeout_s: How long a receiver may take to answer, in real time.
        access_tokens: Whether personal access tokens, which the service has deprecated, are taken.
        fill: What it is filled with at the start and after every reset.
        any_host: Routing headers count on any host, see `fake_e2b.server.dispatch.route`.
    """

    runtime: RuntimeName = "auto"
    clock: ClockName = "real"
    seed: int | None = None
    api_keys: tuple[str, ...] = ()
    teams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    plan: str | Mapping[str, str] | None = None
    max_sandboxes: int | None = None
    max_connections: int | None = None
    max_length_hours: int | None = None
    debug_ports: bool = False
    any_host: bool = False
    templates: tuple[Definition, ...] = ()
    profile: str | None = None
    max_builds: int = 1_000
    build_network: NetworkMode = "record"
    build_timeout_s: float = 3600.0
    max_webhooks: int = 1_000
    remote_webhooks: bool = False
    webhook_keys: WebhookKeys = "snake"
    webhook_timeout_s: float = 10.0
    access_tokens: bool = True
    fill: Seed | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """Where one fake listens.

    Attributes:
        host: An IP address, as clients on this machine write it.
        suffix: The domain that was asked for; with a port of its own where something in front of
            the fake listens for it.
        tls: Whether it speaks TLS as well, on the same port.

    Raises:
        UsageError: `suffix` is no domain.
    """

    host: str
    port: int
    suffix: str = DEFAULT_DOMAIN
    tls: bool = False

    def __post_init__(self) -> None:
        if not _DOMAIN.fullmatch(self.suffix):
            raise UsageError(
                f"'{self.suffix}' is no domain for sandboxes: give a lower-case name with a dot, "
                f"such as {DEFAULT_DOMAIN}"
            )

    @property
    def url(self) -> str:
        """For the API and for sandbox traffic alike."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def api_url(self) -> str:
        """Where clients reach the API: by its name where TLS needs one."""
        return f"https://api.{self.domain}" if self.tls else self.url

    @property
    def domain_name(self) -> str:
        """The domain without a port."""
        return self.suffix.partition(":")[0]

    @property
    def names_below(self) -> tuple[str, ...]:
        """The domains whose names mean this machine: clients here need no resolver for them."""
        # With a port of its own, the domain is that of something in front, wherever it is.
        if self.suffix.endswith(".localhost") or ":" in self.suffix:
            return ("localhost",)
        return ("localhost", self.suffix)

    @property
    def domain(self) -> str:
        """What stands behind ``<port>-<sandboxID>.`` in the host names of sandboxes."""
        if ":" in self.suffix or (self.tls and self.port == _HTTPS_PORT):
            return self.suffix
        return f"{self.suffix}:{self.port}"


def client_environment(address: Address, *, api_key: str, access_token: str) -> dict[str, str]:
    """The variables by which E2B's clients find a fake, and only that one.

    `E2B_DOMAIN` always leads to it: a client that ignores the URLs never reaches the real service.
    With TLS it is the only way: the URLs are empty, which to every SDK means unset, whatever the
    program would have inherited. Fact: fake.domain.alone
    """
    url = "" if address.tls else address.url
    own = [domain for domain in address.names_below if domain != "localhost"]
    return {
        "E2B_API_KEY": api_key,
        "E2B_ACCESS_TOKEN": access_token,
        "E2B_API_URL": url,
        "E2B_SANDBOX_URL": url,
        "E2B_VOLUME_API_URL": url,
        "E2B_DOMAIN": address.domain,
        # Where the command line tool's login begins.
        "E2B_DOCS_BASE": f"{address.api_url}/_fake/login",
        "E2B_DEBUG": "false",
        # For what `fake_e2b.testing.programs` puts into other programs.
        **({"FAKE_E2B_DOMAIN": own[0]} if own else {}),
    }
