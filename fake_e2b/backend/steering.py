"""The rules in force: which of them are about a request, and how often each acted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fake_e2b.backend.rule_index import RuleIndex
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import nearest
from fake_e2b.domain.ids import Dice
from fake_e2b.domain.steering.asked import Asked
from fake_e2b.domain.steering.profiles import Profile, belongs_to, names, rules_of
from fake_e2b.domain.steering.rule import FaultRule

HitListener = Callable[["RuleInForce", Asked], None]


class RuleInForce:
    """A rule and its counts.

    Attributes:
        order: Which of all rules it was, by the time of adding.
        seen: Requests that its match fitted, before `nth`, `every` and `probability`.
        hits: How often its effect acted.
        dice: Its own, from the fake's seed and its name.
        removed: Whether it was taken back.
        memory: What its effect remembers from one request to the next.
    """

    def __init__(self, rule: FaultRule, order: int, dice: Dice, on_hit: HitListener) -> None:
        self.rule = rule
        self.order = order
        self.seen = 0
        self.hits = 0
        self.dice = dice
        self.removed = False
        self.memory: dict[str, Any] = {}
        self._on_hit = on_hit

    @property
    def spent(self) -> bool:
        """Whether it acted as often as it may."""
        return self.rule.times is not None and self.hits >= self.rule.times

    def wants(self, asked: Asked) -> bool:
        """Whether the request is one that it is to act on; counts it."""
        match = self.rule.match
        if self.spent or not match.fits(asked) or not self.rule.effect.concerns(asked):
            return False
        self.seen += 1
        if match.nth is not None and self.seen != match.nth:
            return False
        if match.every is not None and self.seen % match.every:
            return False
        return match.probability is None or self.dice.random() < match.probability

    def take(self, asked: Asked) -> bool:
        """Whether it may act on the request now; counts the hit."""
        if self.removed or self.spent:
            return False
        self.hits += 1
        self._on_hit(self, asked)
        return True


class RuleTable:
    """All rules in force, in the order in which they were added.

    Args:
        dice: Gives each rule its own, by its name and seed.
        on_hit: Told whenever a rule acts.
    """

    def __init__(self, dice: Callable[[str, int | None], Dice], on_hit: HitListener) -> None:
        self._dice = dice
        self._on_hit = on_hit
        self._rules: dict[str, RuleInForce] = {}
        self._index: dict[str, RuleIndex] = {}
        self._added_listeners: list[Callable[[RuleInForce], None]] = []
        self._removed: list[Callable[[RuleInForce], None]] = []
        self._next_number = 1
        self._added = 0
        self._gone_unused: list[RuleInForce] = []

    def __iter__(self) -> Iterator[RuleInForce]:
        return iter(list(self._rules.values()))

    def __len__(self) -> int:
        return len(self._rules)

    def on_addition(self, listener: Callable[[RuleInForce], None]) -> None:
        """Call `listener` with each rule that is put in force."""
        self._added_listeners.append(listener)

    def on_removal(self, listener: Callable[[RuleInForce], None]) -> None:
        """Call `listener` with each rule that is taken back."""
        self._removed.append(listener)

    def free_name(self, stem: str) -> str:
        """A name that no rule had yet: ``"createSandbox status 3"``."""
        while True:
            name = f"{stem} {self._next_number}"
            self._next_number += 1
            if name not in self._rules:
                return name

    def add(self, rule: FaultRule) -> RuleInForce:
        """Put a rule in force.

        Raises:
            UsageError: Another one has its name.
        """
        self._refuse_taken(rule.name)
        self._added += 1
        dice = self._dice(f"rule {rule.name}", rule.seed)
        each = RuleInForce(rule, self._added, dice, self._on_hit)
        self._rules[rule.name] = each
        for operation in rule.match.operations:
            self._index.setdefault(operation, RuleIndex()).add(each)
        for listener in self._added_listeners:
            listener(each)
        return each

    def add_profile(self, chosen: Profile, seed: int) -> Sequence[RuleInForce]:
        """Put a profile's rules in force, all of them.

        Raises:
            UsageError: It is in force already, or another rule has the name of one of its own.
        """
        if self.of_profile(chosen.name):
            raise UsageError(f"the profile {chosen.name!r} is in force already: remove it first")
        rules = rules_of(chosen, seed)
        for rule in rules:
            self._refuse_taken(rule.name)
        return [self.add(rule) for rule in rules]

    def of_profile(self, name: str) -> Sequence[RuleInForce]:
        """The rules in force that belong to a profile."""
        return [each for each in self if belongs_to(each.rule, name)]

    def find(self, name: str) -> RuleInForce:
        """The rule of that name.

        Raises:
            UsageError: There is none; the text names the nearest.
        """
        found = self._rules.get(name)
        if found is None:
            there = ", ".join(map(repr, self._rules)) or "no rule at all"
            raise UsageError(
                f"there is no rule {name!r}{nearest(name, self._rules)}; there is {there}"
            )
        return found

    def remove(self, name: str) -> RuleInForce:
        """Take a rule back; requests that it holds go on.

        Raises:
            UsageError: There is none of that name.
        """
        found = self.find(name)
        del self._rules[name]
        for operation in found.rule.match.operations:
            index = self._index[operation]
            index.remove(found)
            if index.is_empty:
                del self._index[operation]
        if not found.hits:
            self._gone_unused.append(found)
        self._end(found)
        return found

    def clear(self) -> list[RuleInForce]:
        """Take all back; returns them. The next one is the first of a new table, by name too."""
        all_of_them = list(self)
        self._gone_unused = []
        self._next_number = 1
        self._rules = {}
        self._index = {}
        for each in all_of_them:
            self._end(each)
        return all_of_them

    def unused(self) -> Sequence[RuleInForce]:
        """Those that never acted, in force still or taken back since the last `clear`.

        Those of profiles are not meant to act in every test.
        """
        idle = [*self._gone_unused, *(each for each in self if not each.hits)]
        return [each for each in idle if not any(belongs_to(each.rule, name) for name in names())]

    def concerns(self, operation: str) -> bool:
        """Whether any rule may be about requests of the operation."""
        return operation in self._index

    def reads_body(self, operation: str) -> bool:
        """Whether a rule about the operation asks for what the request's body says."""
        found = self._index.get(operation)
        return found is not None and found.reads_body

    def plan(self, asked: Asked) -> Sequence[RuleInForce]:
        """The rules that are to act on a request, in the order in which they were added.

        Raises:
            PredicateFailedError: A rule's own predicate raised something.
        """
        found = self._index.get(asked.operation)
        if found is None:
            return ()
        return [each for each in found.about(asked) if each.wants(asked)]

    def _refuse_taken(self, name: str) -> None:
        if name in self._rules:
            raise UsageError(f"there is a rule {name!r} already: remove it, or say another")

    def _end(self, each: RuleInForce) -> None:
        each.removed = True
        for listener in self._removed:
            listener(each)
