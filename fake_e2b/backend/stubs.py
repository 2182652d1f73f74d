"""The stubs in force: which is asked for a call, and what became of each call."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import nearest
from fake_e2b.domain.stubs.call import Command, Site, StubCall
from fake_e2b.domain.stubs.rule import StubRule

CALLS_KEPT = 10_000
STDIN_KEPT = 1 << 20
"""Bytes."""


class CallRecord:
    """A call that is being answered, or was.

    Attributes:
        stdin: What has been read of it.
        exit_code: None until it is said, and if the program was ended before.
    """

    def __init__(self, command: Command, at_ns: int) -> None:
        self.command = command
        self.at_ns = at_ns
        self.stdin = bytearray()
        self.exit_code: int | None = None

    def heard(self, data: bytes) -> None:
        """Keep what was read of stdin, up to `STDIN_KEPT`."""
        self.stdin += data[: STDIN_KEPT - len(self.stdin)]

    def value(self) -> StubCall:
        """As it stands now."""
        command = self.command
        return StubCall(
            command.sandbox_id,
            command.argv,
            command.cwd,
            command.env,
            bytes(self.stdin),
            self.at_ns,
            self.exit_code,
        )


class StubInForce:
    """A stub, and the calls it answered; it outlives its removal in the hands of who asked for it.

    Attributes:
        hits: How many calls it answered.
        records: The last of these.
    """

    def __init__(self, rule: StubRule) -> None:
        self.rule = rule
        self.hits = 0
        self.removed = False
        self.records: deque[CallRecord] = deque(maxlen=CALLS_KEPT)

    @property
    def spent(self) -> bool:
        """Whether it has answered as often as it may."""
        return self.rule.times is not None and self.hits >= self.rule.times

    def take(self, command: Command, at_ns: int) -> CallRecord | None:
        """Answer one more call; None if it may not any more."""
        if self.removed or self.spent:
            return None
        self.hits += 1
        record = CallRecord(command, at_ns)
        self.records.append(record)
        return record


class StubTable:
    """All stubs; the newest that fits a call answers it.

    Calls come from several threads; the caller keeps them apart.
    """

    def __init__(self) -> None:
        self._stubs: dict[str, StubInForce] = {}

    def __iter__(self) -> Iterator[StubInForce]:
        """In the order in which they were added."""
        return iter(list(self._stubs.values()))

    def __bool__(self) -> bool:
        return bool(self._stubs)

    def free_name(self, text: str) -> str:
        """`text`, or with a number behind it if that is taken."""
        name, number = text, 2
        while name in self._stubs:
            name, number = f"{text} #{number}", number + 1
        return name

    def add(self, rule: StubRule) -> StubInForce:
        """Put a stub in force.

        Raises:
            UsageError: Another one has its name.
        """
        if rule.name in self._stubs:
            raise UsageError(f"there is a stub {rule.name!r} already: remove it, or say another")
        added = self._stubs[rule.name] = StubInForce(rule)
        return added

    def find(self, name: str) -> StubInForce:
        """The stub of that name.

        Raises:
            UsageError: There is none; the text names the nearest.
        """
        found = self._stubs.get(name)
        if found is None:
            there = ", ".join(map(repr, self._stubs)) or "none at all"
            hint = nearest(name, self._stubs)
            raise UsageError(f"there is no stub {name!r}{hint}; there is {there}")
        return found

    def remove(self, name: str) -> StubInForce:
        """Take a stub back; calls that it answers go on.

        Raises:
            UsageError: There is none of that name.
        """
        found = self.find(name)
        del self._stubs[name]
        found.removed = True
        return found

    def clear(self) -> None:
        """Take all back."""
        for each in self._stubs.values():
            each.removed = True
        self._stubs.clear()

    def programs(self, site: Site) -> frozenset[str]:
        """The names of the programs that some stub stands in for there."""
        return frozenset(
            name
            for each in self._stubs.values()
            if each.rule.match.is_for(site)
            for name in each.rule.match.names
        )

    def candidates(self, site: Site, command: Command) -> list[StubInForce]:
        """Those that fit a call as far as can be said without their `where`, newest first."""
        return [
            each
            for each in reversed(self._stubs.values())
            if not each.spent and each.rule.match.is_for(site) and each.rule.match.fits(command)
        ]
