"""The rules for a sandbox's network object: what is checked, kept and shown of it.

What of it is enforced, and where, says `network_fields`. Objects stay in the API's own form
(camelCase keys), for the service gives them back as they came.
Each check raises `ControlError` with the service's reason.

Fact: control.network
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fake_e2b.domain.control_errors import ControlError, ControlKind

ALL_TRAFFIC = "0.0.0.0/0"
EGRESS_KEYS = ("allowOut", "denyOut", "dnsServers", "rules", "egressProxy")
"""What an update replaces as a whole; the rest of the object is fixed at creation."""
_ENVD_PORT = 49983
_PORTS = range(1, 65536)
_MAX_DNS_SERVERS = 10
_MAX_CREDENTIAL_BYTES = 255
_PREFIX = re.compile(r"[0-9]+")
_HOST_LABEL = re.compile(r"(?!-)(?!..--)[A-Za-z0-9-]+(?<!-)|xn--[A-Za-z0-9-]+(?<!-)")
_CARRIER_GRADE = ipaddress.ip_network("100.64.0.0/10")


def _refuse(reason: str) -> ControlError:
    return ControlError(ControlKind.BAD_NETWORK, reason=reason)


def check_egress(network: Mapping[str, Any]) -> None:
    """The allow and deny lists, and the name servers.

    Raises:
        ControlError: BAD_NETWORK.
    """
    denied: Sequence[str] = network.get("denyOut") or ()
    for entry in denied:
        if not is_address(entry) or _is_refused(entry):
            raise _refuse(f"invalid denied CIDR {entry}")
    allows_domain = False
    for entry in network.get("allowOut") or ():
        if not is_address(entry):
            allows_domain = True
        elif _is_refused(entry):
            raise _refuse(f"invalid allowed address {entry}")
    if allows_domain and ALL_TRAFFIC not in denied:
        raise _refuse(
            "When specifying allowed domains in allow out, you must include 'ALL_TRAFFIC' in "
            "deny out to block all other traffic."
        )
    servers: Sequence[str] = network.get("dnsServers") or ()
    if len(servers) > _MAX_DNS_SERVERS:
        raise _refuse(f"DNS servers can have at most {_MAX_DNS_SERVERS} entries.")
    for entry in servers:
        if not is_address(entry) or ":" in entry or "/" in entry or _is_refused(entry):
            raise _refuse(f"invalid DNS server {entry}")


def is_address(entry: str) -> bool:
    """Whether an entry of a list is an address, or a block of them, and no name."""
    address, slash, prefix = entry.partition("/")
    if "%" in entry or (slash and not _PREFIX.fullmatch(prefix)):
        return False
    try:
        ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
    return bool(address)


def _is_refused(entry: str) -> bool:
    address = ipaddress.ip_address(entry.partition("/")[0])
    return address.is_unspecified and entry != ALL_TRAFFIC


def check_ingress(network: Mapping[str, Any]) -> None:
    """The mask of the request's host, and the ports that speak HTTPS.

    Raises:
        ControlError: BAD_NETWORK.
    """
    mask: str | None = network.get("maskRequestHost")
    if mask:
        _check_mask(mask)
    for port in network.get("httpsPorts") or ():
        if port == _ENVD_PORT:
            raise _refuse(f"HTTPS port {port} is reserved.")
        if port not in _PORTS:
            raise _refuse(f"HTTPS port {port} is not a valid 1-65535 value.")


def _check_mask(mask: str) -> None:
    host, colon, port = mask.rpartition(":")
    if not colon:
        host = port
    if not host.isascii() and not re.search(r"[\s/:\[\]]", host):
        raise _refuse(f"mask request host '{host}' is not ASCII. Please use ASCII characters only.")
    labels = host.removesuffix(".").split(".")
    if not all(_HOST_LABEL.fullmatch(label) for label in labels):
        raise _refuse(f"mask request host is not valid: {mask}")


def checked_egress_proxy(proxy: Mapping[str, Any]) -> dict[str, Any]:
    """The proxy's settings with its address in canonical form.

    The service looks the host's name up; the fake touches no network and refuses only what is
    internal by its text.

    Raises:
        ControlError: BAD_EGRESS_PROXY.
    """
    address: str = proxy["address"]
    if not address:
        raise _bad_proxy("egress proxy address must not be empty")
    host, port = _host_and_port(address)
    if not host:
        raise _bad_proxy("egress proxy host must not be empty")
    if not _PREFIX.fullmatch(port) or int(port[:6]) not in _PORTS:
        raise _bad_proxy(f'egress proxy port "{port}" is not a valid 1-65535 value')
    internal = _internal_address(host)
    if internal is not None:
        raise _bad_proxy(
            "egress proxy endpoint resolves to an internal / denied IP range: "
            f"{host} resolves to {internal}"
        )
    username, password = proxy.get("username") or "", proxy.get("password") or ""
    if password and not username:
        raise _bad_proxy("egress proxy password must be empty when username is empty")
    for called, text in (("username", username), ("password", password)):
        if len(text.encode()) > _MAX_CREDENTIAL_BYTES:
            raise _bad_proxy(f"egress proxy {called} exceeds {_MAX_CREDENTIAL_BYTES} bytes")
    tls = proxy.get("tls")
    if tls is not None and not tls["enabled"] and (tls.get("serverName") or tls.get("caCert")):
        raise _bad_proxy("egress proxy tls fields must not be set when tls is disabled")
    shown_host = f"[{host}]" if ":" in host else host.lower()
    return {**proxy, "address": f"{shown_host}:{port}"}


def _bad_proxy(reason: str) -> ControlError:
    return ControlError(ControlKind.BAD_EGRESS_PROXY, reason=reason)


def _host_and_port(address: str) -> tuple[str, str]:
    form = "egress proxy address must be in host:port form: "
    if address.startswith("["):
        host, bracket, rest = address[1:].partition("]")
        if not bracket:
            raise _bad_proxy(f"{form}address {address}: missing ']' in address")
        if not rest.startswith(":"):
            raise _bad_proxy(f"{form}address {address}: missing port in address")
        return host, rest[1:]
    host, colon, port = address.rpartition(":")
    if not colon:
        raise _bad_proxy(f"{form}address {address}: missing port in address")
    if ":" in host:
        raise _bad_proxy(f"{form}address {address}: too many colons in address")
    return host, port


def _internal_address(host: str) -> str | None:
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    internal = not address.is_global or address in _CARRIER_GRADE or address.is_multicast
    return str(address) if internal else None


def without_empty(network: Mapping[str, Any]) -> dict[str, Any]:
    """The object as it is kept: lists and rules that are empty vanish, null is no proxy."""
    return {
        key: value
        for key, value in network.items()
        if value is not None and not (value in ([], {}) and key != "dnsServers")
    }


def shown(network: Mapping[str, Any]) -> dict[str, Any]:
    """The object as the detail gives it back: without password and certificate."""
    proxy = network.get("egressProxy")
    if proxy is None:
        return dict(network)
    visible = {key: value for key, value in proxy.items() if key not in ("password", "tls")}
    if proxy.get("tls") is not None:
        visible["tls"] = {
            key: value for key, value in proxy["tls"].items() if key in ("enabled", "serverName")
        }
    return {**network, "egressProxy": visible}
