"""`/_fake/profiles`: named sets of rules, put in force and taken back as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fake_e2b.admin.faults import fault_shown
from fake_e2b.admin.parts import AdminParts, Page
from fake_e2b.admin.query import json_object
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import about, read
from fake_e2b.domain.steering.profiles import names, profile

FORM = '{"name": "strict", "seed": 7}'


@dataclass(frozen=True)
class ChosenProfile:
    """Which profile."""

    name: str = field(metadata=about("as GET /_fake/profiles lists them"))
    seed: int | None = field(default=None, metadata=about("of its dice; the fake's if left"))


async def profiles(parts: AdminParts, request: Request) -> Response:
    """All there are, with the rules of those in force."""
    return JSONResponse({"profiles": [_shown(parts, name) for name in names()]})


async def add_profile(parts: AdminParts, request: Request) -> Response:
    """Put one in force.

    Raises:
        UsageError: There is none of that name, or it is in force already.
    """
    chosen = read(ChosenProfile, await json_object(request, FORM), "a profile")
    seed = parts.seed if chosen.seed is None else chosen.seed
    parts.rules.add_profile(profile(chosen.name), seed)
    return JSONResponse(_shown(parts, chosen.name), 201)


async def remove_profile(parts: AdminParts, request: Request) -> Response:
    """Take one back; answers what it was and how often its rules acted.

    Raises:
        UsageError: There is none of that name, or it is not in force.
    """
    name = profile(request.path_params["name"]).name
    shown = _shown(parts, name)
    if not shown["faults"]:
        raise UsageError(f"the profile {name!r} is not in force")
    for each in parts.rules.of_profile(name):
        parts.rules.remove(each.rule.name)
    return JSONResponse(shown)


def _shown(parts: AdminParts, name: str) -> dict[str, Any]:
    faults = [fault_shown(each) for each in parts.rules.of_profile(name)]
    return {"name": name, "about": profile(name).about, "faults": faults}


PROFILE_PAGES: Mapping[str, Mapping[str, Page]] = {
    "/_fake/profiles": {"GET": profiles, "POST": add_profile},
    "/_fake/profiles/{name}": {"DELETE": remove_profile},
}
