"""What a create request must satisfy before a machine is started for it, in the service's order.

Fact: control.create.order
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.network import (
    check_egress,
    check_ingress,
    checked_egress_proxy,
    without_empty,
)
from fake_e2b.domain.network_rules import checked_rules
from fake_e2b.domain.team import Team
from fake_e2b.domain.template import Template

HOUR_S = 3600
MAX_IAM_TOKENS = 5
_SECURE_SINCE = (0, 2, 0)


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """A create request with its defaults filled in; objects in the API's own form."""

    template: str
    timeout_s: int
    auto_pause: bool = False
    auto_pause_memory: bool = True
    auto_resume: bool = False
    secure: bool = True
    allow_internet_access: bool | None = None
    network: Mapping[str, Any] | None = None
    metadata: Mapping[str, str] | None = None
    env_vars: Mapping[str, str] = field(default_factory=dict)
    iam_tokens: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    volume_mounts: Sequence[Mapping[str, str]] = ()


def check_timeout(timeout_s: int, team: Team, *, zero_allowed: bool = False) -> None:
    """Refuse a time to live that the team may not ask for.

    Raises:
        ControlError: TIMEOUT_TOO_LOW, TIMEOUT_TOO_HIGH.
    """
    if timeout_s <= 0 and not zero_allowed:
        raise ControlError(ControlKind.TIMEOUT_TOO_LOW)
    if timeout_s > team.max_length_hours * HOUR_S:
        raise ControlError(ControlKind.TIMEOUT_TOO_HIGH, hours=team.max_length_hours)


def admit(
    request: CreateRequest, team: Team, template: Template, has_volume: Callable[[str], bool]
) -> dict[str, Any] | None:
    """Check everything that follows the template's resolution.

    Args:
        has_volume: Whether the team has a volume of that name.

    Returns:
        The network object as it is kept.

    Raises:
        ControlError: The first check that fails.
    """
    check_timeout(request.timeout_s, team)
    if not request.auto_pause_memory:
        if not request.auto_pause:
            raise ControlError(ControlKind.AUTO_PAUSE_MEMORY_ALONE)
        if request.auto_resume:
            raise ControlError(ControlKind.AUTO_PAUSE_MEMORY_WITH_RESUME)
    if request.secure:
        _check_securable(template)
    _check_iam(request.iam_tokens)
    network = None if request.network is None else _admit_network(request.network)
    if network is not None and network.get("allowPublicTraffic") is False and not request.secure:
        raise ControlError(ControlKind.PUBLIC_ACCESS_NEEDS_SECURE)
    _check_mounts(request.volume_mounts, has_volume)
    return network


def _check_securable(template: Template) -> None:
    if not template.envd_version:
        raise ControlError(ControlKind.TEMPLATE_NEEDS_REBUILD)
    if tuple(int(part) for part in template.envd_version.split(".")) < _SECURE_SINCE:
        raise ControlError(ControlKind.TEMPLATE_NOT_SECURABLE)


def _check_iam(tokens: Mapping[str, Mapping[str, str]]) -> None:
    if len(tokens) > MAX_IAM_TOKENS:
        raise _bad_iam(f": too many tokens: {len(tokens)} (max {MAX_IAM_TOKENS})")
    for name, token in tokens.items():
        if not name:
            raise _bad_iam(": token name must not be empty")
        if not token.get("audience"):
            raise _bad_iam(f".{name}.audience: audience is required")
        if token.get("tokenType") != "JWT-SVID":
            raise _bad_iam(f'.{name}.tokenType: only "JWT-SVID" is supported')


def _bad_iam(reason: str) -> ControlError:
    return ControlError(ControlKind.BAD_IAM_TOKENS, reason=reason)


def _admit_network(network: Mapping[str, Any]) -> dict[str, Any]:
    check_ingress(network)
    check_egress(network)
    kept = dict(network)
    if network.get("rules"):
        kept["rules"] = checked_rules(network["rules"])
    if network.get("egressProxy") is not None:
        kept["egressProxy"] = checked_egress_proxy(network["egressProxy"])
    if kept.get("allowPublicTraffic") is None:
        kept["allowPublicTraffic"] = True
    return without_empty(kept)


def _check_mounts(mounts: Sequence[Mapping[str, str]], has_volume: Callable[[str], bool]) -> None:
    used: set[str] = set()
    bad = []
    for at, mount in enumerate(mounts):
        reason = _why_bad(mount, used, has_volume)
        used.add(mount["path"])
        if reason is not None:
            bad.append(f"\n\t- volume mount #{at}: {reason}")
    if bad:
        raise ControlError(ControlKind.BAD_VOLUME_MOUNTS, mounts="".join(bad))


def _why_bad(
    mount: Mapping[str, str], used: set[str], has_volume: Callable[[str], bool]
) -> str | None:
    name, path = mount["name"], mount["path"]
    if not has_volume(name):
        return f"volume '{name}' not found"
    if not path:
        return "path cannot be empty"
    if not path.startswith("/"):
        return "path must be absolute"
    if path != "/" and any(part in ("", ".", "..") for part in path[1:].split("/")):
        return "path must not contain any '.' or '..' components"
    return f"path '{path}' is already used" if path in used else None
