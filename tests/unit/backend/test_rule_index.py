"""A thousand rules, and the few that a request has to be held against."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fake_e2b.backend.rule_index import RuleIndex
from fake_e2b.backend.steering import RuleInForce, RuleTable
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.steering.asked import Asked
from fake_e2b.domain.steering.effects import Latency
from fake_e2b.domain.steering.match import RequestMatch
from fake_e2b.domain.steering.rule import make_rule

COUNT = 1000
ASKED = Asked(
    "Process.Start",
    "POST",
    "/process.Process/Start",
    {},
    0,
    sandbox_id="i7",
    metadata={"user": "7", "more": "x"},
    api_key="key7",
    command="npm install package-7",
    port=49983,
)


def in_force(match: RequestMatch) -> RuleInForce:
    table = RuleTable(IdSource(1).dice, lambda each, asked: None)
    rule = make_rule(match, Latency(0), name=None, at=None, times=None, free_name=table.free_name)
    return table.add(rule)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: RequestMatch(sandbox_id=f"i{n}"),
        lambda n: RequestMatch(metadata={"user": str(n)}),
        lambda n: RequestMatch(command=f"npm install package-{n}"),
        lambda n: RequestMatch(command=f"npm install package-{n}*"),
        lambda n: RequestMatch(api_key=f"key{n}"),
    ],
    ids=["sandbox", "metadata", "command", "beginning", "key"],
)
def test_only_those_that_can_fit_are_looked_at(make: Callable[[int], RequestMatch]) -> None:
    index = RuleIndex()
    rules = [in_force(make(number)) for number in range(COUNT)]
    for each in rules:
        index.add(each)
    assert [each.rule.match for each in index.about(ASKED)] == [make(7)]
    for each in rules:
        index.remove(each)
    assert index.is_empty
    assert not index.reads_body
    assert not index.about(ASKED)


def test_patterns_that_begin_with_anything_are_always_looked_at() -> None:
    index = RuleIndex()
    for command in ("*7", "re:7$", "?pm*"):
        index.add(in_force(RequestMatch(command=command)))
    assert len(index.about(ASKED)) == 3


def test_the_order_is_that_of_adding() -> None:
    table = RuleTable(IdSource(1).dice, lambda each, asked: None)
    matches = [
        RequestMatch(command="npm *"),
        RequestMatch(),
        RequestMatch(sandbox_id="i7"),
        RequestMatch(metadata={"user": "7"}),
        RequestMatch("Process.*"),
        RequestMatch(port=49983),
    ]
    for match in matches:
        rule = make_rule(
            match, Latency(0), name=None, at=None, times=None, free_name=table.free_name
        )
        table.add(rule)
    assert [each.rule.match for each in table.plan(ASKED)] == matches
