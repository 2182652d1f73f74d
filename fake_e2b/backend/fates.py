"""What is to befall sandboxes by the way: while somebody resumes, pauses, lists or asks the time.

The operations ask here at the places where it can happen. What a rule arms counts for the request
of the running task alone, so that two requests at once don't share a fate; what a test asks for
directly counts for the sandbox.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from fake_e2b.backend.past import History
from fake_e2b.backend.store import Record, Store
from fake_e2b.domain.clock import SECOND_NS, Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind, ProxyKind
from fake_e2b.domain.errors import ServiceError
from fake_e2b.domain.ids import SandboxID
from fake_e2b.domain.ports import Event, LayerID, Runtime
from fake_e2b.domain.steering import sandbox_effects as effects
from fake_e2b.domain.steering.effect import Effect
from fake_e2b.domain.steering.service_effects import PlanLimits
from fake_e2b.domain.team import Team

Kind = TypeVar("Kind", bound=Effect)
Take = Callable[[], bool]
"""Whether an armed effect may act now; it counts as a hit."""
Wait = Callable[[float], Awaitable[None]]
"""Waits so many real seconds."""

_RESUME_FAILURES: dict[effects.ResumeFailure, ControlKind] = {
    "failed": ControlKind.CREATE_FAILED,
    "no-capacity": ControlKind.NO_CAPACITY,
    "timed-out": ControlKind.PLACEMENT_TIMEOUT,
}


@dataclass(slots=True)
class _Kept:
    """The files of a sandbox's first pause, and how many pauses there were since."""

    layer_id: LayerID
    pauses: int = 1


_BEYOND_PLAN: frozenset[StrEnum] = frozenset(
    {
        ControlKind.CONCURRENCY_LIMIT,
        ControlKind.FORK_COUNT,
        ControlKind.TIMEOUT_TOO_HIGH,
        ControlKind.MAX_LENGTH_EXCEEDED,
        ProxyKind.TEAM_LIMIT,
    }
)


class Fates:
    """Those of one fake's sandboxes.

    Args:
        wait: Waits in real time.
        make_event: Makes the flags that waiting requests await.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        runtime: Runtime,
        make_event: Callable[[], Event],
        wait: Wait,
    ) -> None:
        self._clock = clock
        self._runtime = runtime
        self._make_event = make_event
        self._wait = wait
        self._armed: ContextVar[tuple[tuple[Effect, Take], ...]] = ContextVar("armed", default=())
        self._kept: dict[SandboxID, _Kept] = {}
        self._frozen: dict[SandboxID, Event] = {}
        self._skews_ns: dict[SandboxID, int] = {}
        self.past = History(store, clock)
        self.keeps_files: Callable[[SandboxID], bool] = lambda _: False

    def arm(self, effect: Effect, take: Take) -> None:
        """Let an effect act in the running task, if what it is about comes to pass."""
        self._armed.set((*self._armed.get(), (effect, take)))

    def _strike(self, kind: type[Kind]) -> Kind | None:
        """The effect that acts now."""
        for effect, take in self._armed.get():
            if isinstance(effect, kind) and take():
                return effect
        return None

    # -- while a sandbox is paused and resumed ----------------------------------------------------

    def check_pause(self, record: Record) -> None:
        """Called before a pause that a request asks for.

        Raises:
            ControlError: CANNOT_PAUSE.
        """
        conflict = self._strike(effects.PauseConflicts)
        if conflict is not None:
            raise ControlError(
                ControlKind.CANNOT_PAUSE,
                sandbox_id=record.sandbox.sandbox_id,
                state=conflict.state,
            )

    async def paused(self, record: Record) -> None:
        """Called when a sandbox stands still, its pause not being over yet.

        Raises:
            OSError: There is no room for its files.
        """
        sandbox_id = record.sandbox.sandbox_id
        kept = self._kept.get(sandbox_id)
        if kept is not None:
            kept.pauses += 1
        elif self.keeps_files(sandbox_id):
            self._kept[sandbox_id] = _Kept(await self._runtime.capture(sandbox_id))

    async def before_resume(self) -> None:
        """Called before a paused sandbox starts to run.

        Raises:
            ControlError: It can't be resumed.
        """
        slow = self._strike(effects.ResumeSlow)
        if slow is not None:
            await self._wait(slow.seconds)
        failing = self._strike(effects.ResumeFails)
        if failing is not None:
            raise ControlError(_RESUME_FAILURES[failing.reason])

    def files_instead(self, record: Record) -> LayerID | None:
        """Called when it starts: the files that it finds instead of its own."""
        kept = self._kept.get(record.sandbox.sandbox_id)
        if kept is None or kept.pauses < 2 or self._strike(effects.FilesLost) is None:
            return None
        return kept.layer_id

    async def gone(self, sandbox_id: SandboxID) -> None:
        """Called when a sandbox has ended: what was kept of it goes too."""
        self._skews_ns.pop(sandbox_id, None)
        self.thaw(sandbox_id)
        kept = self._kept.pop(sandbox_id, None)
        if kept is not None:
            await self._runtime.release(kept.layer_id)

    # -- while a team asks for something ----------------------------------------------------------

    def plan_of(self, team: Team) -> Team:
        """The team with the limits that hold for the request of the running task."""
        for effect, _ in self._armed.get():
            if isinstance(effect, PlanLimits):
                team = replace(
                    team,
                    max_length_hours=_least(effect.max_length_hours, team.max_length_hours),
                    concurrent_sandboxes=_least(
                        effect.concurrent_sandboxes, team.concurrent_sandboxes
                    ),
                )
        return team

    def refused(self, error: ServiceError) -> None:
        """Called when a request was refused: if for a plan's limit, that is a hit."""
        if error.kind in _BEYOND_PLAN:
            self._strike(PlanLimits)

    # -- while it stands still --------------------------------------------------------------------

    def freeze(self, sandbox_id: SandboxID) -> None:
        """From now on requests into it hang."""
        self._frozen.setdefault(sandbox_id, self._make_event())

    def thaw(self, sandbox_id: SandboxID) -> None:
        """Let them go on; nothing to do when none is held."""
        frozen = self._frozen.pop(sandbox_id, None)
        if frozen is not None:
            frozen.set()

    def frozen(self, sandbox_id: SandboxID) -> Event | None:
        """What is set when it goes on; None where it does not stand still."""
        return self._frozen.get(sandbox_id)

    # -- while somebody asks ----------------------------------------------------------------------

    def listed_store(self) -> Store | None:
        """The sandboxes as a list shows them that lags behind; None for those there are."""
        lag = self._strike(effects.ListLags)
        if lag is None:
            return None
        return self.past.at(self._clock.now_ns() - round(lag.seconds * SECOND_NS))

    def skew(self, sandbox_id: SandboxID, by_ns: int) -> None:
        """Let a sandbox's clock lie ahead, or behind."""
        self._skews_ns[sandbox_id] = by_ns

    def skew_ns(self, sandbox_id: SandboxID) -> int:
        """How far it is ahead for whoever asks now."""
        armed = (each for each, _ in self._armed.get() if isinstance(each, effects.ClockSkew))
        passing = sum(round(each.seconds * SECOND_NS) for each in armed)
        return self._skews_ns.get(sandbox_id, 0) + passing

    def clock_of(self, sandbox_id: SandboxID) -> Clock:
        """The clock that the sandbox's services read."""
        return _GuestClock(self._clock, lambda: self.skew_ns(sandbox_id))


class _GuestClock:
    """A clock that may be wrong."""

    def __init__(self, right: Clock, skew_ns: Callable[[], int]) -> None:
        self._right = right
        self._skew_ns = skew_ns

    def now_ns(self) -> int:
        return self._right.now_ns() + self._skew_ns()

    def real_delay_s(self, until_ns: int) -> float | None:
        return self._right.real_delay_s(until_ns - self._skew_ns())


def _least(limit: int | None, other: int) -> int:
    return other if limit is None else min(limit, other)
