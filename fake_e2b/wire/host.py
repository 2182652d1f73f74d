"""Which sandbox and port a request names: by its host, or by the two routing headers. Pure.

Facts: proxy.target.host, proxy.target.headers, proxy.target.refusals
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum

from fake_e2b.domain.errors import ServiceError
from fake_e2b.domain.ids import CLIENT_ID

ENVD_PORT = 49983
INTERPRETER_PORT = 49999

_ID = re.compile(r"[a-z0-9]+")
_DIGITS = re.compile(r"[0-9]+")
_HIGHEST_PORT = 2**64 - 1
"""Ports are read as 64-bit numbers; those above 65535 end as closed ports."""


class RoutingKind(StrEnum):
    """Why a request names no sandbox."""

    MISSING_HEADER = "missing_header"
    INVALID_HOST = "invalid_host"
    INVALID_SANDBOX_ID = "invalid_sandbox_id"
    INVALID_PORT = "invalid_port"


class RoutingError(ServiceError):
    """The request names no sandbox; see `fake_e2b.wire.proxy_errors` for its rendering."""

    def __init__(self, kind: RoutingKind) -> None:
        super().__init__(kind)


@dataclass(frozen=True, slots=True)
class Destination:
    """A sandbox by its ID, and one of its ports."""

    sandbox_id: str
    port: int


def split_port(host: str) -> tuple[str, str]:
    """A `Host` header without its port, and the port's text ("" when there is none).

    >>> split_port("[::1]:3000")
    ('::1', '3000')
    """
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        return name, rest.removeprefix(":")
    name, colon, port = host.rpartition(":")
    return (name, port) if colon and ":" not in name else (host, "")


def is_ip(name: str) -> bool:
    """Whether a host name is an IP address written out."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_shared_gateway(name: str) -> bool:
    """Whether a host name is ``sandbox.<domain>``, the one name for all sandboxes' envd."""
    return name.startswith("sandbox.") and len(name) > len("sandbox.")


def uses_headers(name: str) -> bool:
    """Whether routing headers count on this host: `localhost`, IP addresses, ``sandbox.<domain>``.

    On every other host they are ignored and travel on to the service.
    """
    return name == "localhost" or is_ip(name) or is_shared_gateway(name)


def from_host(name: str) -> Destination:
    """Take ``<port>-<sandboxID>[-<anything>].<domain>`` apart; the domain is not looked at.

    Raises:
        RoutingError: INVALID_HOST, INVALID_PORT or INVALID_SANDBOX_ID, checked in this order.
    """
    label, dot, _ = name.partition(".")
    port, dash, rest = label.partition("-")
    if not dot or not dash:
        raise RoutingError(RoutingKind.INVALID_HOST)
    return _destination(rest.partition("-")[0], port)


def from_headers(sandbox_id: str, port: str) -> Destination:
    """Read `E2b-Sandbox-Id` and `E2b-Sandbox-Port`, of which at least one is not empty.

    The constant client ID is cut off: JS SDKs keep the long form after a connect by it. The real
    proxy refuses it here and accepts it in host names. Fact: fake.proxy.client-id-tolerated

    Raises:
        RoutingError: MISSING_HEADER, INVALID_PORT or INVALID_SANDBOX_ID, checked in this order.
    """
    if not sandbox_id or not port:
        raise RoutingError(RoutingKind.MISSING_HEADER)
    return _destination(sandbox_id.removesuffix(f"-{CLIENT_ID}"), port)


def to_host(destination: Destination, domain: str) -> str:
    """The host name that reaches `destination`; `domain` may carry the fake's own port.

    >>> to_host(Destination("i123", 3000), "e2b.localhost:8080")
    '3000-i123.e2b.localhost:8080'
    """
    return f"{destination.port}-{destination.sandbox_id}.{domain}"


def _destination(sandbox_id: str, port: str) -> Destination:
    if not _DIGITS.fullmatch(port):
        raise RoutingError(RoutingKind.INVALID_PORT)
    # Cutting the length first: a hostile header must not cost a conversion of a million digits.
    significant = port.lstrip("0") or "0"
    if len(significant) > 20 or int(significant) > _HIGHEST_PORT:
        raise RoutingError(RoutingKind.INVALID_PORT)
    if not _ID.fullmatch(sandbox_id):
        raise RoutingError(RoutingKind.INVALID_SANDBOX_ID)
    return Destination(sandbox_id, int(significant))
