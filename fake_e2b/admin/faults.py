"""`/_fake/faults`: rules that make the fake misbehave, in the form of JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fake_e2b.admin.parts import AdminParts, Page
from fake_e2b.admin.query import json_object
from fake_e2b.backend.steering import RuleInForce
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.steering.effects import Hold, Refuse
from fake_e2b.domain.steering.rule import read_rule, write_rule

FORM = '{"match": {"operation": "createSandbox"}, "effect": {"kind": "status", "status": 503}}'


async def faults(parts: AdminParts, request: Request) -> Response:
    """The rules in force, in the order in which they were added; gates are not among them."""
    return JSONResponse({"faults": [fault_shown(each) for each in _faults(parts)]})


async def add_fault(parts: AdminParts, request: Request) -> Response:
    """Put a rule in force.

    Raises:
        UsageError: It can never come true, or is not of the right form.
    """
    table = await json_object(request, FORM)
    rule = read_rule(table, parts.rules.free_name)
    if isinstance(rule.effect, Hold):
        raise UsageError("requests are held by gates: POST /_fake/gates")
    if isinstance(rule.effect, Refuse) and rule.effect.seconds is None:
        raise UsageError(
            'nobody could take it back by HTTP: say for how long, {"kind": "refuse", "seconds": 2}'
        )
    return JSONResponse(fault_shown(parts.rules.add(rule)), 201)


async def reset_faults(parts: AdminParts, request: Request) -> Response:
    """Take all rules back; gates stay."""
    removed = [fault_shown(each) for each in _faults(parts)]
    for each in removed:
        parts.rules.remove(each["name"])
    return JSONResponse({"faults": removed})


async def fault(parts: AdminParts, request: Request) -> Response:
    """One rule and its counts."""
    return JSONResponse(fault_shown(_named(parts, request)))


async def remove_fault(parts: AdminParts, request: Request) -> Response:
    """Take one rule back; answers what it was and how often it acted."""
    return JSONResponse(fault_shown(parts.rules.remove(_named(parts, request).rule.name)))


def fault_shown(each: RuleInForce) -> dict[str, Any]:
    """A rule as it was given, with its counts."""
    return {
        **write_rule(each.rule),
        "hits": each.hits,
        "seen": each.seen,
        "spent": each.spent,
    }


def _faults(parts: AdminParts) -> list[RuleInForce]:
    return [each for each in parts.rules if not isinstance(each.rule.effect, Hold)]


def _named(parts: AdminParts, request: Request) -> RuleInForce:
    each = parts.rules.find(request.path_params["name"])
    if isinstance(each.rule.effect, Hold):
        raise UsageError(f"{each.rule.name!r} is a gate: ask /_fake/gates")
    return each


FAULT_PAGES: Mapping[str, Mapping[str, Page]] = {
    "/_fake/faults": {"GET": faults, "POST": add_fault, "DELETE": reset_faults},
    "/_fake/faults/{name}": {"GET": fault, "DELETE": remove_fault},
}
