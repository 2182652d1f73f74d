"""What can be chosen when a fake is made, and how clients find it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

RuntimeName = Literal["auto", "local", "isolated"]
ClockName = Literal["real", "manual"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Choices for one fake.

    Attributes:
        runtime: ``"auto"`` takes the best that the machine can do.
        clock: ``"manual"`` stands still until it is moved.
        seed: Replays IDs and tokens; None takes a fresh one.
        api_keys: Further keys of the first team.
        teams: Further teams: slug to keys.
        max_sandboxes: How many sandboxes each team may have running at once.
        max_length_hours: How long one run of a sandbox may last.
        any_host: Routing headers count on any host, see `fake_e2b.server.dispatch.route`.
    """

    runtime: RuntimeName = "auto"
    clock: ClockName = "real"
    seed: int | None = None
    api_keys: tuple[str, ...] = ()
    teams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    max_sandboxes: int = 1_100
    max_length_hours: int = 24
    any_host: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """Where one fake listens.

    Attributes:
        host: An IP address, as clients on this machine write it.
    """

    host: str
    port: int

    @property
    def url(self) -> str:
        """For the API and for sandbox traffic alike."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def domain(self) -> str:
        """What stands behind ``<port>-<sandboxID>.`` in the host names of sandboxes."""
        return f"e2b.localhost:{self.port}"


def client_environment(address: Address, *, api_key: str, access_token: str) -> dict[str, str]:
    """The variables by which E2B's clients find a fake, and only that one.

    `E2B_DOMAIN` leads back to it as well: a client that ignores the URLs fails there instead of
    reaching the real service.
    """
    return {
        "E2B_API_KEY": api_key,
        "E2B_ACCESS_TOKEN": access_token,
        "E2B_API_URL": address.url,
        "E2B_SANDBOX_URL": address.url,
        "E2B_VOLUME_API_URL": address.url,
        "E2B_DOMAIN": address.domain,
        "E2B_DEBUG": "false",
    }
