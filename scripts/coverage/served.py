"""Which operations of the API the fake serves, read from its tables of routes and known gaps."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from fake_e2b.control_plane.app import ROUTES
from fake_e2b.data_plane import interpreter, volume_content
from fake_e2b.data_plane.envd import filesystem, routes
from fake_e2b.data_plane.envd.process import ProcessService
from fake_e2b.domain.operations import OPERATIONS, Operation, Plane
from fake_e2b.server.dispatch import is_reserved

GAPS = Path(__file__).parents[2] / "contracts" / "known_gaps.toml"
METHODS = Path(__file__).with_name("methods.toml")
_VOLUME_CONTENT = "/volumecontent/"
_NO_TABLE = {"/health"}
"""What the control plane answers before it looks a route up."""


class Answer(StrEnum):
    """How much of something the fake has."""

    NO = "no"
    REFUSED = "refused"
    PARTLY = "partly"
    YES = "yes"


@dataclass(frozen=True, slots=True)
class Coverage:
    """An answer and the IDs of the gaps that make it less than yes.

    Attributes:
        routes: Gaps in routes which no SDK of today asks for.
    """

    answer: Answer
    gaps: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.answer


def gaps() -> list[dict[str, Any]]:
    """The known gaps."""
    listed: list[dict[str, Any]] = tomllib.loads(GAPS.read_text(encoding="utf-8"))["gap"]
    return listed


def operations() -> dict[str, Coverage]:
    """By name: no without any route, partly with a gap or without the whole of its routes.

    What the service keeps for itself it refuses to clients, and so does the fake.
    """
    rows: dict[str, list[Operation]] = {}
    for each in OPERATIONS:
        rows.setdefault(each.name, []).append(each)
    return {name: _covered(name, rows[name]) for name in rows}


def _covered(name: str, rows: list[Operation]) -> Coverage:
    named = _named("operations", name)
    if all(row.plane is Plane.ENVD and is_reserved(row.path) for row in rows):
        return Coverage(Answer.REFUSED)
    lines = {f"{row.method} {row.path}": _is_served(row) for row in rows}
    routes = dict.fromkeys(
        gap
        for line, served in lines.items()
        for gap in _named("routes" if served else "requests", line)
    )
    others = tuple(gap for gap in routes if gap not in named)
    if not any(lines.values()):
        return Coverage(Answer.NO, named, others)
    whole = all(lines.values()) and not named and not others
    return Coverage(Answer.YES if whole else Answer.PARTLY, named, others)


def _named(key: str, name: str) -> tuple[str, ...]:
    return tuple(gap["id"] for gap in gaps() if name in gap.get(key, ()))


def _is_served(row: Operation) -> bool:
    method, path = row.method, row.path
    if row.plane is Plane.CONTROL:
        if path.startswith(_VOLUME_CONTENT):
            return (method, path.rpartition("/")[2]) in volume_content.ROUTES
        return (method, path) in ROUTES or path in _NO_TABLE
    if row.plane is Plane.INTERPRETER:
        return method in interpreter.ROUTES.get(re.sub(r"\{\w+\}", "{id}", path), ())
    rpcs = ProcessService().handlers().keys() | filesystem.HANDLERS.keys()
    return path in rpcs or method in routes.ROUTES.get(path, ())


class NoRowError(Exception):
    """A method of an SDK that `methods.toml` does not know."""


def needs(owner: str, method: str) -> list[str]:
    """The operations behind a method.

    Raises:
        NoRowError: It has no row.
    """
    table: dict[str, dict[str, list[str]]] = tomllib.loads(METHODS.read_text(encoding="utf-8"))
    row = table.get(owner, {})
    found = row.get(method, row.get("*"))
    if found is None:
        raise NoRowError(f"{owner}.{method} has no row in scripts/coverage/methods.toml")
    return found


def method(owner: str, name: str, needed: Iterable[str], known: dict[str, Coverage]) -> Coverage:
    """What the fake has of an SDK's method: no more than of the operations it needs.

    That an operation lacks a route which no SDK asks for takes nothing from it.
    """
    parts = [known[each] for each in needed]
    named = dict.fromkeys(_named("methods", f"{owner}.{name}"))
    named.update(dict.fromkeys(gap for part in parts for gap in part.gaps))
    if any(part.answer is Answer.NO for part in parts):
        return Coverage(Answer.NO, tuple(named))
    return Coverage(Answer.PARTLY if named else Answer.YES, tuple(named))
