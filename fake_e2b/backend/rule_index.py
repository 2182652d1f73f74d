"""Finds the few rules that can be about a request, however many there are.

Each rule lies in one drawer, by the most telling thing that its match demands: a sandbox, a pair
of metadata, the beginning of a command, a key, a port; or in the drawer of those that demand none.
A request looks only into the drawers that it can fit.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fake_e2b.domain.steering.asked import Asked
from fake_e2b.domain.steering.match import RequestMatch

if TYPE_CHECKING:
    from fake_e2b.backend.steering import RuleInForce

_Drawer = tuple[str, ...]
_ANY: _Drawer = ()
_NOT_LITERAL = re.compile(r"[*?\[]")
_REGEX = "re:"


class RuleIndex:
    """The rules about one operation."""

    def __init__(self) -> None:
        self._drawers: dict[_Drawer, list[RuleInForce]] = {}
        self._beginnings: Counter[int] = Counter()
        self._readers = 0

    @property
    def is_empty(self) -> bool:
        """Whether no rule is left."""
        return not self._drawers

    @property
    def reads_body(self) -> bool:
        """Whether a rule asks for what only a request's body says."""
        return self._readers > 0

    def add(self, each: RuleInForce) -> None:
        """Put a rule into its drawer."""
        drawer = _drawer_of(each.rule.match)
        self._drawers.setdefault(drawer, []).append(each)
        self._count(each, drawer, 1)

    def remove(self, each: RuleInForce) -> None:
        """Take it out again."""
        drawer = _drawer_of(each.rule.match)
        self._drawers[drawer].remove(each)
        if not self._drawers[drawer]:
            del self._drawers[drawer]
        self._count(each, drawer, -1)

    def about(self, asked: Asked) -> Sequence[RuleInForce]:
        """Those that may be about a request, in the order in which they were added."""
        found = [
            rules
            for drawer in self._fitting(asked)
            if (rules := self._drawers.get(drawer)) is not None
        ]
        if len(found) < 2:
            return found[0] if found else ()
        return sorted((each for rules in found for each in rules), key=lambda each: each.order)

    def _count(self, each: RuleInForce, drawer: _Drawer, by: int) -> None:
        if each.rule.match.reads_body or each.rule.effect.reads_body:
            self._readers += by
        if drawer and drawer[0] == "command":
            length = len(drawer[1])
            self._beginnings[length] += by
            if not self._beginnings[length]:
                del self._beginnings[length]

    def _fitting(self, asked: Asked) -> Iterator[_Drawer]:
        yield _ANY
        if asked.sandbox_id is not None:
            yield ("sandbox", asked.sandbox_id)
        for pair in asked.metadata.items():
            yield ("metadata", *pair)
        if asked.command is not None:
            for length in self._beginnings:
                if length <= len(asked.command):
                    yield ("command", asked.command[:length])
        if asked.api_key is not None:
            yield ("key", asked.api_key)
        if asked.port is not None:
            yield ("port", str(asked.port))


def _drawer_of(match: RequestMatch) -> _Drawer:
    if match.sandbox_id is not None:
        return ("sandbox", match.sandbox_id)
    for pair in match.metadata.items():
        return ("metadata", *pair)
    if match.command is not None and not match.command.startswith(_REGEX):
        beginning = _NOT_LITERAL.split(match.command, maxsplit=1)[0]
        if beginning:
            return ("command", beginning)
    if match.api_key is not None:
        return ("key", match.api_key)
    return _ANY if match.port is None else ("port", str(match.port))
