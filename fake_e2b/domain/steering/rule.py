"""A rule: which requests, at which point, what becomes of them, how often."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import about, nearest, read, write
from fake_e2b.domain.steering.effect import Effect
from fake_e2b.domain.steering.effects import read_effect, write_effect
from fake_e2b.domain.steering.match import RequestMatch
from fake_e2b.domain.steering.point import Point, point

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class FaultRule:
    """What a test asks for; `RuleTable` counts how often it came true.

    Args:
        times: How often it acts before it is spent; None for ever.
        seed: Of its dice; None takes the fake's.

    Raises:
        UsageError: The effect can't act at that point, or a number can never be.
    """

    name: str = field(metadata=about("unique among the rules in force"))
    match: RequestMatch
    effect: Effect
    at: Point
    times: int | None = field(default=None, metadata=about("how often it acts; for ever if left"))
    seed: int | None = field(default=None, metadata=about("of its dice; the fake's if left"))

    def __post_init__(self) -> None:
        if not self.name or not self.name.isprintable() or "/" in self.name:
            raise UsageError(f"a rule's name is printable and without '/', not {self.name!r}")
        if self.times is not None and self.times < 1:
            raise UsageError(f"times is at least 1, not {self.times}")
        self.effect.check(self.match, self.at)


KEYS = ("name", "match", "effect", "at", "times", "seed")


def read_rule(table: object, free_name: Callable[[str], str]) -> FaultRule:
    """The rule that a JSON or TOML table describes.

    ``{"match": {"operation": "createSandbox"}, "effect": {"kind": "status", "status": 503}}``;
    all but `effect` can be left out.

    Args:
        free_name: Makes a name from a stem.

    Raises:
        UsageError: A key, a name, a pattern or a number is wrong; the text says the right form.
    """
    if not isinstance(table, Mapping):
        raise UsageError(f"a rule must be a table of {', '.join(KEYS)}")
    for key in table:
        if key not in KEYS:
            hint = nearest(str(key), KEYS)
            raise UsageError(f"a rule does not know {str(key)!r}{hint}; it takes {', '.join(KEYS)}")
    return make_rule(
        read(RequestMatch, table.get("match", {}), "match"),
        read_effect(table.get("effect")),
        name=_of_kind(table, "name", str, "a text"),
        at=_of_kind(table, "at", str, "a text"),
        times=_of_kind(table, "times", int, "a whole number"),
        seed=_of_kind(table, "seed", int, "a whole number"),
        free_name=free_name,
    )


def make_rule(
    match: RequestMatch,
    effect: Effect,
    *,
    name: str | None,
    at: str | Point | None,
    times: int | None,
    free_name: Callable[[str], str],
    seed: int | None = None,
) -> FaultRule:
    """A rule with what was left out filled in.

    Raises:
        UsageError: As `FaultRule`, and as `point`.
    """
    where = effect.point_for(match) if at is None else point(at)
    chosen = free_name(f"{match.operation} {effect.kind}") if name is None else name
    return FaultRule(chosen, match, effect, where, times, seed)


def write_rule(rule: FaultRule) -> dict[str, Any]:
    """A rule as the table that `read_rule` takes."""
    return {
        "name": rule.name,
        "match": write(rule.match),
        "effect": write_effect(rule.effect),
        "at": str(rule.at),
        "times": rule.times,
        "seed": rule.seed,
    }


def _of_kind(table: Mapping[str, Any], key: str, kind: type[Kind], named: str) -> Kind | None:
    value = table.get(key)
    if value is not None and type(value) is not kind:
        raise UsageError(f"a rule's {key} must be {named}, not {value!r}")
    return value
