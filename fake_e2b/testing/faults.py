"""`fake.faults`: rules that make the fake misbehave when and as a test wants it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any

from fake_e2b.backend.steering import RuleInForce
from fake_e2b.domain.steering.effects import Effect, Hold
from fake_e2b.domain.steering.match import RequestMatch, Where
from fake_e2b.domain.steering.point import Point
from fake_e2b.domain.steering.profiles import profile
from fake_e2b.domain.steering.rule import FaultRule, make_rule, read_rule
from fake_e2b.testing.profiles import Profile
from fake_e2b.testing.running import Running


class Fault:
    """A rule that was added; a context manager that takes it back."""

    def __init__(self, owner: FakeFaults, each: RuleInForce) -> None:
        self._owner = owner
        self._each = each

    @property
    def name(self) -> str:
        """Unique among the rules in force."""
        return self._each.rule.name

    @property
    def rule(self) -> FaultRule:
        """What was asked for."""
        return self._each.rule

    @property
    def hits(self) -> int:
        """How often it acted."""
        return self._each.hits

    @property
    def seen(self) -> int:
        """How many requests it fitted, before `nth`, `every` and `probability`."""
        return self._each.seen

    def remove(self) -> None:
        """Take it back.

        Raises:
            UsageError: It is not in force any more.
        """
        self._owner.remove(self.name)

    def __enter__(self) -> Fault:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._each.removed:
            self.remove()

    def __repr__(self) -> str:
        return f"<Fault {self.name!r}, {self.hits} hits>"


class FakeFaults:
    """The rules in force on a `FakeE2B`; see docs/faults.md."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def add(
        self,
        operation: str,
        effect: Effect,
        *,
        name: str | None = None,
        times: int | None = None,
        seed: int | None = None,
        at: str | Point | None = None,
        method: str | None = None,
        path: str | None = None,
        sandbox_id: str | None = None,
        metadata: Mapping[str, str] | None = None,
        template: str | None = None,
        command: str | None = None,
        api_key: str | None = None,
        port: int | None = None,
        nth: int | None = None,
        every: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        probability: float | None = None,
        where: Where | None = None,
    ) -> Fault:
        """Put a rule in force, from the next request on.

        Args:
            operation: Its name in the API (`createSandbox`, `Process.Start`, `files.upload`, …),
                a pattern of names, or ``"*"``.
            name: Unique; one is made where none is given.
            times: How often it acts; None for ever.
            seed: Of its dice; None takes the fake's.
            at: ``"arrived"`` (before the work), ``"done"`` (after it, before the answer) or
                ``"frame=3"`` (before the third frame of the answer); None takes the effect's own.
            path, command: Patterns of the whole text, with ``*`` and ``?``; after ``re:`` a
                regular expression, searched for. `command` is the command line of
                `Process.Start`, or the code of `execute`.
            metadata: Pairs that the sandbox's metadata must hold.
            template: Its ID or name.
            nth, every: Only the n-th request that fits; only each n-th.
            since, until: Between two instants of the fake's clock.
            probability: Of those that fit, by dice of the rule's own.
            where: A function that is given an `Asked`. It runs in the server's thread: it must not
                wait, nor ask the fake anything.

        Raises:
            UsageError: An unknown operation, an impossible point, a bad pattern, a number that can
                never be, or a name that is taken. Nothing has changed.
        """
        match = RequestMatch(
            operation=operation,
            method=method,
            path=path,
            sandbox_id=sandbox_id,
            metadata=dict(metadata or {}),
            template=template,
            command=command,
            api_key=api_key,
            port=port,
            nth=nth,
            every=every,
            since=since,
            until=until,
            probability=probability,
            where=where,
        )
        fake, thread = self._running()

        async def add() -> RuleInForce:
            rules = fake.steering.rules
            rule = make_rule(
                match,
                effect,
                name=name,
                at=at,
                times=times,
                seed=seed,
                free_name=rules.free_name,
            )
            return rules.add(rule)

        return Fault(self, thread.call(add))

    def add_table(self, table: Mapping[str, Any]) -> Fault:
        """Put a rule in force that is written as in JSON or TOML.

        Raises:
            UsageError: As `add`.
        """
        fake, thread = self._running()

        async def add() -> RuleInForce:
            rules = fake.steering.rules
            return rules.add(read_rule(table, rules.free_name))

        return Fault(self, thread.call(add))

    def list(self) -> Sequence[Fault]:
        """Those in force, in the order in which they were added; gates are not among them."""
        return [
            Fault(self, each) for each in self._rules() if not isinstance(each.rule.effect, Hold)
        ]

    def get(self, name: str) -> Fault:
        """The rule of that name.

        Raises:
            UsageError: There is none; the text names the nearest.
        """
        fake, _ = self._running()
        return Fault(self, fake.steering.rules.find(name))

    def remove(self, name: str) -> None:
        """Take a rule back.

        Raises:
            UsageError: There is none of that name.
        """
        fake, thread = self._running()

        async def remove() -> None:
            fake.steering.rules.remove(name)

        thread.call(remove)

    def profile(self, name: str, *, seed: int | None = None) -> Profile:
        """Put a profile in force: a named set of rules, see `fake_e2b.profiles`.

        Args:
            seed: The same seed makes the same choices for the same requests; None takes the
                fake's. It stands in the names of the rules, and so in the journal.

        Raises:
            UsageError: There is none of that name, or it is in force already.
        """
        chosen = profile(name)
        fake, thread = self._running()
        given = fake.ids.seed if seed is None else seed

        async def put() -> Sequence[RuleInForce]:
            return fake.steering.rules.add_profile(chosen, given)

        return Profile(self, name, given, [Fault(self, each) for each in thread.call(put)])

    def remove_profile(self, name: str) -> None:
        """Take back those rules of a profile that are in force."""
        fake, thread = self._running()

        async def remove() -> None:
            for each in fake.steering.rules.of_profile(name):
                fake.steering.rules.remove(each.rule.name)

        thread.call(remove)

    def reset(self) -> None:
        """Take all rules back; gates stay."""
        for fault in self.list():
            fault.remove()

    def unfired(self) -> Sequence[Fault]:
        """The rules that never acted, those taken back since the last `FakeE2B.reset` included."""
        fake, thread = self._running()

        async def unused() -> Sequence[RuleInForce]:
            return fake.steering.rules.unused()

        found = sorted(thread.call(unused), key=lambda each: each.order)
        return [Fault(self, each) for each in found if not isinstance(each.rule.effect, Hold)]

    def _rules(self) -> Sequence[RuleInForce]:
        fake, thread = self._running()

        async def rules() -> Sequence[RuleInForce]:
            return list(fake.steering.rules)

        return thread.call(rules)
