"""Where a request that entered a sandbox is going."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fake_e2b.backend.machine import Machine
from fake_e2b.domain.sandbox import Sandbox

SCOPE_KEY = "fake_e2b.target"
"""The ASGI scope's key under which the server's dispatch leaves the target."""


@dataclass(frozen=True, slots=True)
class Target:
    """A running sandbox, and the port of it that is asked for."""

    sandbox: Sandbox
    machine: Machine
    port: int


def target_of(scope: Mapping[str, Any]) -> Target:
    """The target that the server's dispatch put into an ASGI scope."""
    target: Target = scope[SCOPE_KEY]
    return target
