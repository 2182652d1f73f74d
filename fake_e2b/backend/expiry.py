"""What becomes of sandboxes whose time is up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from fake_e2b.backend.lifecycle import Lifecycle
from fake_e2b.backend.store import Move, Record
from fake_e2b.backend.together import Together
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.control_errors import ControlError
from fake_e2b.domain.due import Happening, Outcome
from fake_e2b.domain.ids import SandboxID
from fake_e2b.domain.sandbox import OnTimeout


@dataclass(frozen=True, slots=True)
class Expired:
    """A sandbox whose time was up, and what that did to it."""

    sandbox_id: SandboxID
    action: OnTimeout


class Expiry:
    """Kills and pauses what is due."""

    def __init__(self, lifecycle: Lifecycle, clock: Clock, together: Together) -> None:
        self._lifecycle = lifecycle
        self._clock = clock
        self._together = together
        self._listeners: list[Callable[[Expired], None]] = []

    def on_expiry(self, listener: Callable[[Expired], None]) -> None:
        """Call `listener` for each sandbox whose time is up, before anything happens to it."""
        self._listeners.append(listener)

    def run_due(self) -> Coroutine[Any, Any, list[Happening]]:
        """Kill or pause the sandboxes whose time is up.

        All of them are out of service before this returns, but those to which something else is
        happening: they become due again when that is over.

        Returns:
            Await it for what has happened, in the order in which it was due.
        """
        now_ns = self._clock.now_ns()
        due = self._lifecycle.deadlines.pop_due(now_ns)
        outcomes: dict[SandboxID, Outcome] = {}
        steps: list[Awaitable[None]] = []
        for record in due:
            if record.move is not None:
                steps.append(self._due_again(record, record.move))
                continue
            expired = Expired(record.sandbox.sandbox_id, record.sandbox.on_timeout)
            record.expired = True
            for listener in self._listeners:
                listener(expired)
            # Their place in the order; a pause that fails makes it a kill.
            outcomes[expired.sandbox_id] = "killed"
            steps.append(self._expire(record, outcomes))
        return self._happen(now_ns, steps, outcomes)

    async def _happen(
        self, now_ns: int, steps: list[Awaitable[None]], outcomes: Mapping[SandboxID, Outcome]
    ) -> list[Happening]:
        if len(steps) == 1:
            await steps[0]
        else:
            await self._together(steps)
        return [Happening(now_ns, outcome, each) for each, outcome in outcomes.items()]

    def _expire(self, record: Record, outcomes: dict[SandboxID, Outcome]) -> Awaitable[None]:
        lifecycle, sandbox = self._lifecycle, record.sandbox
        if sandbox.on_timeout is OnTimeout.KILL:
            return _quietly(lifecycle.finish_kill(record, lifecycle.begin_kill(record)))
        move = lifecycle.begin_pause(record, memory=sandbox.auto_pause_memory)

        async def pause() -> None:
            await lifecycle.finish_pause(record, move)
            outcomes[sandbox.sandbox_id] = "paused"

        return _quietly(pause())

    async def _due_again(self, record: Record, move: Move) -> None:
        await move.done.wait()
        self._lifecycle.deadlines.add(record)


async def _quietly(step: Awaitable[None]) -> None:
    """A step whose refusal nobody waits for; the state is consistent either way."""
    try:
        await step
    except ControlError:
        return
