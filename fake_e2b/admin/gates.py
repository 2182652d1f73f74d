"""`/_fake/gates`: hold requests, wait until they came, let them go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fake_e2b.admin.parts import AdminParts, Page
from fake_e2b.admin.query import json_object
from fake_e2b.backend.steering import RuleInForce
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import about, read
from fake_e2b.domain.steering.asked import Asked
from fake_e2b.domain.steering.effects import Hold, write_effect
from fake_e2b.domain.steering.rule import read_rule, write_rule

FORM = '{"match": {"operation": "createSandbox"}, "at": "done"}'
NOT_COME = 408
"""The status when what was waited for did not come."""
LONGEST_WAIT_S = 300.0


@dataclass(frozen=True)
class Waiting:
    """What to wait for."""

    count: int = field(default=1, metadata=about("so many requests, in all"))
    timeout_s: float = field(default=20.0, metadata=about("how long, in seconds"))

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError(f"count is at least 1, not {self.count}")
        if not 0 <= self.timeout_s <= LONGEST_WAIT_S:
            raise UsageError(f"timeoutS is from 0 to {LONGEST_WAIT_S:.0f}, not {self.timeout_s}")


@dataclass(frozen=True)
class Releasing:
    """Whom to let go."""

    count: int | None = field(
        default=None, metadata=about("the first so many; all, and those to come, when left out")
    )

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 1:
            raise UsageError(f"count is at least 1, not {self.count}")


async def gates(parts: AdminParts, request: Request) -> Response:
    """The gates there are, in the order in which they were made."""
    return JSONResponse({"gates": [_shown(parts, each) for each in _gates(parts)]})


async def add_gate(parts: AdminParts, request: Request) -> Response:
    """Hold requests from now on.

    Raises:
        UsageError: It can never come true, or is not of the right form.
    """
    table = await json_object(request, FORM)
    if "effect" in table:
        raise UsageError(f"a gate has no effect of its own; send {FORM}")
    held = {**table, "effect": write_effect(Hold())}
    rule = read_rule(held, parts.rules.free_name)
    return JSONResponse(_shown(parts, parts.rules.add(rule)), 201)


async def remove_gates(parts: AdminParts, request: Request) -> Response:
    """Open all gates and take them back."""
    removed = [_shown(parts, each) for each in _gates(parts)]
    for each in removed:
        parts.rules.remove(each["name"])
    return JSONResponse({"gates": removed})


async def gate(parts: AdminParts, request: Request) -> Response:
    """One gate, and who came to it."""
    return JSONResponse(_shown(parts, _named(parts, request)))


async def remove_gate(parts: AdminParts, request: Request) -> Response:
    """Open a gate and take it back."""
    each = _named(parts, request)
    shown = _shown(parts, each)
    parts.rules.remove(each.rule.name)
    return JSONResponse(shown)


async def wait_at_gate(parts: AdminParts, request: Request) -> Response:
    """Answer when so many requests came to the gate, in all; 408 when they did not in time."""
    each = _named(parts, request)
    waiting = read(Waiting, await json_object(request, '{"count": 1}', empty=True), "the body")
    came = await parts.gate(each.rule.name).wait_arrived(waiting.count, waiting.timeout_s)
    return JSONResponse(_shown(parts, each), 200 if came else NOT_COME)


async def release_gate(parts: AdminParts, request: Request) -> Response:
    """Let requests go; answers how many went."""
    each = _named(parts, request)
    body = await json_object(request, '{"count": 1}', empty=True)
    releasing = read(Releasing, body, "the body")
    released = parts.gate(each.rule.name).release(releasing.count)
    return JSONResponse({**_shown(parts, each), "released": released})


def _gates(parts: AdminParts) -> list[RuleInForce]:
    return [each for each in parts.rules if isinstance(each.rule.effect, Hold)]


def _named(parts: AdminParts, request: Request) -> RuleInForce:
    each = parts.rules.find(request.path_params["name"])
    if not isinstance(each.rule.effect, Hold):
        raise UsageError(f"{each.rule.name!r} is no gate: ask /_fake/faults")
    return each


def _shown(parts: AdminParts, each: RuleInForce) -> dict[str, Any]:
    held = parts.gate(each.rule.name)
    rule = write_rule(each.rule)
    del rule["effect"]
    return {
        **rule,
        "open": held.is_open,
        "held": held.held,
        "arrived": [_asked_shown(asked) for asked in held.arrived],
    }


def _asked_shown(asked: Asked) -> dict[str, Any]:
    return {
        "operation": asked.operation,
        "method": asked.method,
        "path": asked.path,
        "sandboxID": asked.sandbox_id,
    }


GATE_PAGES: Mapping[str, Mapping[str, Page]] = {
    "/_fake/gates": {"GET": gates, "POST": add_gate, "DELETE": remove_gates},
    "/_fake/gates/{name}": {"GET": gate, "DELETE": remove_gate},
    "/_fake/gates/{name}/wait": {"POST": wait_at_gate},
    "/_fake/gates/{name}/release": {"POST": release_gate},
}
