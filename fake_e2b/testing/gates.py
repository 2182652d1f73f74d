"""`fake.gates`: hold any request at a point of its life until the test lets it go."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from fake_e2b.domain.errors import FakeE2BError
from fake_e2b.domain.steering.asked import Asked
from fake_e2b.domain.steering.effects import Hold
from fake_e2b.server.steering.gates import Gate as HeldGate
from fake_e2b.testing.faults import FakeFaults
from fake_e2b.testing.running import Running

WAIT_S = 20.0


class GateTimeoutError(FakeE2BError, TimeoutError):
    """No request came to the gate in time; the text says what did come."""


class Gate:
    """A place where requests wait. A context manager, plain or ``async``, that opens at its end.

    The plain methods block the calling thread: in async tests take those that are awaited.
    """

    def __init__(self, running: Running, name: str, held: HeldGate) -> None:
        self._running = running
        self._held = held
        self.name = name

    def wait_arrived(self, count: int = 1, *, timeout_s: float = WAIT_S) -> Sequence[Asked]:
        """Wait until `count` requests came, in all; returns them.

        Raises:
            GateTimeoutError: They did not.
        """
        _, thread = self._running()
        came = thread.call(lambda: self._held.wait_arrived(count, timeout_s))
        return self._came(came, count, timeout_s)

    async def arrived(self, count: int = 1, *, timeout_s: float = WAIT_S) -> Sequence[Asked]:
        """As `wait_arrived`, awaited.

        Raises:
            GateTimeoutError: They did not.
        """
        _, thread = self._running()
        waiting = thread.begin(lambda: self._held.wait_arrived(count, timeout_s))
        return self._came(await asyncio.wrap_future(waiting), count, timeout_s)

    @property
    def requests(self) -> Sequence[Asked]:
        """Every request that came to it so far, held or let go."""
        return list(self._held.arrived)

    @property
    def held(self) -> int:
        """How many wait now."""
        return self._held.held

    @property
    def is_open(self) -> bool:
        """Whether it holds nobody any more."""
        return self._held.is_open

    def release(self, count: int | None = None) -> int:
        """Let the first `count` go; without a count all of them, and those that are to come.

        Returns:
            How many went.
        """
        _, thread = self._running()

        async def release() -> int:
            return self._held.release(count)

        return thread.call(release)

    def remove(self) -> None:
        """Open it and take it back; twice is fine."""
        fake, thread = self._running()

        async def remove() -> None:
            if any(each.rule.name == self.name for each in fake.steering.rules):
                fake.steering.rules.remove(self.name)

        thread.call(remove)

    def __enter__(self) -> Gate:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()

    async def __aenter__(self) -> Gate:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()

    def _came(self, came: bool, count: int, timeout_s: float) -> Sequence[Asked]:
        if came:
            return self.requests
        fake, _ = self._running()
        asked = [
            f"{each.operation} ({each.status or 'open'})"
            for each in fake.journal.records(kind="request")
        ]
        raise GateTimeoutError(
            f"{len(self._held.arrived)} of {count} requests came to the gate {self.name!r} within "
            f"{timeout_s:g} s; what the fake was asked last: {', '.join(asked[-10:]) or 'nothing'}"
        )


class FakeGates:
    """The gates of a `FakeE2B`; see docs/gates.md."""

    def __init__(self, running: Running, faults: FakeFaults) -> None:
        self._running = running
        self._faults = faults

    def hold(
        self,
        operation: str,
        *,
        at: str = "arrived",
        name: str | None = None,
        times: int | None = None,
        **match: Any,
    ) -> Gate:
        """Hold requests from now on.

        Args:
            at: ``"arrived"`` (nothing is done for it yet), ``"done"`` (all is done, and the client
                was told nothing) or ``"frame=3"`` (before the third frame of a streamed answer).
            times: How many are held at most; later ones pass.
            match: As for `FakeFaults.add`.

        Raises:
            UsageError: As `FakeFaults.add`.
        """
        fault = self._faults.add(operation, Hold(), at=at, name=name, times=times, **match)
        fake, _ = self._running()
        held = fake.steering.gates.gate(fault.name)
        return Gate(self._running, fault.name, held)

    def list(self) -> Sequence[Gate]:
        """Those there are, in the order in which they were made."""
        fake, thread = self._running()

        async def gates() -> Sequence[Gate]:
            return [
                Gate(
                    self._running,
                    each.rule.name,
                    fake.steering.gates.gate(each.rule.name),
                )
                for each in fake.steering.rules
                if isinstance(each.rule.effect, Hold)
            ]

        return thread.call(gates)

    def holding(self) -> Sequence[Gate]:
        """Those at which a request waits."""
        return [gate for gate in self.list() if gate.held]
