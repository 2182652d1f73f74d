"""Which of a sandbox's network settings the fake enforces, and which it checks, keeps and shows.

`NETWORK_FIELDS` is the only list; the coverage page is made of it, and tests hold each row to it.

Fact: fake.network.fields
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NetworkField:
    """One setting.

    Attributes:
        name: As the SDK for Python calls it; a dot leads into an object.
        wire: As the API does, `network.` in front of those of that object.
        enforced: Whether it changes what reaches the sandbox, or leaves it.
        how: What enforces it, or why nothing does.
    """

    name: str
    wire: str
    enforced: bool
    how: str


_NOTHING_LEAVES = (
    "under `isolated` nothing leaves a sandbox, whatever it says; under `local` programs have the "
    "machine's own network"
)

NETWORK_FIELDS: tuple[NetworkField, ...] = (
    NetworkField(
        "allow_public_traffic",
        "network.allowPublicTraffic",
        True,
        "without the sandbox's traffic token its ports answer 403",
    ),
    NetworkField(
        "mask_request_host",
        "network.maskRequestHost",
        True,
        "programs in the sandbox see it as the Host of requests, with the port in place of "
        "`${PORT}`",
    ),
    NetworkField(
        "https_ports",
        "network.httpsPorts",
        True,
        "these ports are spoken to over TLS, without a look at the certificate",
    ),
    NetworkField("allow_internet_access", "allow_internet_access", False, _NOTHING_LEAVES),
    NetworkField("allow_out", "network.allowOut", False, _NOTHING_LEAVES),
    NetworkField("deny_out", "network.denyOut", False, _NOTHING_LEAVES),
    NetworkField("dns_servers", "network.dnsServers", False, _NOTHING_LEAVES),
    NetworkField(
        "rules",
        "network.rules",
        False,
        "no request leaves that could be changed; `fake.outgoing_headers` says what one would have",
    ),
    NetworkField(
        "egress_proxy",
        "network.egressProxy",
        False,
        "nothing is sent that could go through it; its password and certificate are never shown, "
        "as on the service",
    ),
)
