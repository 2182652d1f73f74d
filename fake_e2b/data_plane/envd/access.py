"""What every envd route asks of its request: the daemon's state, and who calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from fake_e2b.backend.envd import Envd
from fake_e2b.data_plane.target import target_of
from fake_e2b.domain.user import User

USERNAME_KEY = "fake_e2b.envd.username"
"""The ASGI scope's key for the name in the Basic header; absent when there is none."""


def envd_of(scope: Mapping[str, Any]) -> Envd:
    """The daemon that a request reached."""
    return cast(Envd, target_of(scope).machine.envd)


def caller_of(scope: Mapping[str, Any]) -> User:
    """The user that an RPC runs as: the Basic header's, or the default one.

    The header was checked before routing (`data_plane.envd.app`), so this raises only for a
    default user that does not exist.
    """
    return envd_of(scope).user(scope.get(USERNAME_KEY))
