"""The changes of a sandbox's state, each from a settled state to its outcome.

A change begins in one step, without waiting: from then on every other request sees it. It is
finished by the task that began it; whoever meets it in between awaits `Move.done`. What may begin
when is decided in `fake_e2b.backend.sandboxes`.

Fact: control.states
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence, Set
from contextlib import suppress
from typing import NoReturn

from fake_e2b.backend.boots import Boots
from fake_e2b.backend.deadlines import Deadlines
from fake_e2b.backend.fates import Fates
from fake_e2b.backend.machine import Machine, MachineFactory
from fake_e2b.backend.moments import Change, LifecycleEvent, Moment
from fake_e2b.backend.node import Node
from fake_e2b.backend.store import Move, Record, Store
from fake_e2b.backend.together import Together
from fake_e2b.domain.clock import SECOND_NS, Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.errors import FakeE2BError
from fake_e2b.domain.event import KillReason
from fake_e2b.domain.ids import SandboxID
from fake_e2b.domain.ports import Event, Guest, LayerID, Runtime
from fake_e2b.domain.records import Records
from fake_e2b.domain.sandbox import OnTimeout, Sandbox, State
from fake_e2b.domain.team import Team


class Lifecycle:
    """Starts, pauses and ends sandboxes on the runtime.

    Args:
        store: Where the sandboxes are.
        clock: Gives starts and ends.
        runtime: Makes guests.
        machines: Puts envd and the interpreter on a guest.
        make_event: Makes the flags that waiting requests await.
        before_pause: Called while the guest still runs.
        fates: What befalls sandboxes on the way.
        node: Where they start.
        records: Where the paused ones are written down.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        runtime: Runtime,
        machines: MachineFactory,
        make_event: Callable[[], Event],
        before_pause: Callable[[Record], Awaitable[None]],
        fates: Fates,
        node: Node,
        records: Records,
    ) -> None:
        self._records = records
        self.deadlines = Deadlines(store)
        self._store = store
        self._clock = clock
        self._runtime = runtime
        self._boots = Boots(runtime, machines, fates)
        self._make_event = make_event
        self._before_pause = before_pause
        self._fates = fates
        self._node = node
        self._epoch = 0
        self._departures: list[Callable[[SandboxID], None]] = []
        self._listeners: list[Callable[[LifecycleEvent], None]] = []

    @property
    def epoch(self) -> int:
        """How often everything was forgotten: what began in an earlier one has no place now."""
        return self._epoch

    def on_departure(self, listener: Callable[[SandboxID], None]) -> None:
        """Call `listener` at the start of every pause and kill of a live sandbox."""
        self._departures.append(listener)

    def on_event(self, listener: Callable[[LifecycleEvent], None]) -> None:
        """Call `listener` after every completed change."""
        self._listeners.append(listener)

    def tell(
        self,
        moment: Moment,
        sandbox: Sandbox,
        cause: Exception | None = None,
        *,
        kill_reason: KillReason | None = None,
        change: Change | None = None,
    ) -> None:
        """Report that something happened."""
        if moment is Moment.UPDATED and sandbox.state is State.PAUSED:
            self._records.keep(sandbox)
        now_ns = self._clock.now_ns()
        event = LifecycleEvent(moment, sandbox, now_ns, cause, kill_reason, change)
        for listener in self._listeners:
            listener(event)

    # -- create -----------------------------------------------------------------------------------

    async def launch(
        self, sandbox: Sandbox, team: Team, timeout_s: int, *, base: LayerID | None = None
    ) -> Record:
        """Start a new sandbox; its time counts from the moment it is up.

        Args:
            base: The files it starts with; None for fresh ones.

        Raises:
            ControlError: CONCURRENCY_LIMIT; NO_CAPACITY: the node takes none; CREATE_FAILED: the
                runtime did, nothing is left.
        """
        epoch = self._epoch
        self._take_slot(team)
        guest: Guest | None = None
        try:
            with self._node.starting():
                guest = await self._boots.guest(sandbox, base)
                machine = await self._boots.first(sandbox, guest)
                if epoch != self._epoch:
                    raise ControlError(ControlKind.CREATE_FAILED)
        except BaseException as error:
            self._free_slot(sandbox, epoch)
            if guest is not None:
                await guest.kill()
            self._fail(sandbox, error, ControlKind.CREATE_FAILED)
        record = Record(sandbox, machine)
        self._begin_run(record, timeout_s)
        self._store.add(record)
        self.deadlines.add(record)
        self.tell(Moment.CREATED, sandbox)
        self._watch(record, machine)
        return record

    async def capture(self, record: Record, failure: ControlKind) -> LayerID:
        """Freeze the files of a running sandbox, whose programs stand still meanwhile.

        Its ID, time and processes stay as they are; it goes on even when this fails.

        Returns:
            The layer; `release` must follow.

        Raises:
            ControlError: `failure`: its machine did not obey, or there is no room.

        Fact: control.states.snapshotting
        """
        self._store.enter_state(record, State.SNAPSHOTTING)
        move = record.move = Move(State.RUNNING, self._make_event())
        layer_id: LayerID | None = None
        try:
            if record.machine is None:
                raise ControlError(failure)
            await record.machine.pause()
            try:
                layer_id = await self._runtime.capture(record.sandbox.sandbox_id)
            finally:
                is_frozen = self._fates.frozen(record.sandbox.sandbox_id) is not None
                if record.machine.guest.alive and not is_frozen:
                    await record.machine.resume()
        except BaseException as error:
            if layer_id is not None:
                await self._runtime.release(layer_id)
            self._fail(record.sandbox, error, failure)
        finally:
            self._store.enter_state(record, State.RUNNING)
            self._settle(record, move)
            # What came meanwhile has passed it by: the end of its time, or of its machine.
            self.deadlines.add(record)
            if record.machine is not None:
                self._watch(record, record.machine)
        return layer_id

    async def release(self, layer_id: LayerID) -> None:
        """Let go what `capture` gave."""
        await self._runtime.release(layer_id)

    # -- resume -----------------------------------------------------------------------------------

    async def start(self, record: Record, team: Team, timeout_s: int, *, cold: bool) -> None:
        """Run a paused sandbox again.

        Args:
            cold: Boot from its files even if memory was kept.

        Raises:
            ControlError: CONCURRENCY_LIMIT, NO_CAPACITY, CREATE_FAILED: it is still paused.
        """
        epoch = self._epoch
        self._take_slot(team)
        move = record.move = Move(State.RUNNING, self._make_event())
        try:
            with self._node.starting():
                await self._runtime.take_back(record.sandbox.sandbox_id)
                self._records.forget(record.sandbox)
                await self._fates.before_resume()
                record.machine = await self._boots.again(record, cold=cold)
            self._fates.thaw(record.sandbox.sandbox_id)
            record.sandbox.unresponsive_at_pause = False
        except BaseException as error:
            self._free_slot(record.sandbox, epoch)
            await self._put_away_again(record)
            self._settle(record, move, _told(error, ControlKind.CREATE_FAILED))
            self._fail(record.sandbox, error, ControlKind.CREATE_FAILED)
        self._begin_run(record, timeout_s)
        self._store.enter_state(record, State.RUNNING)
        self.deadlines.add(record)
        self._settle(record, move)
        self.tell(Moment.RESUMED, record.sandbox)
        self._watch(record, record.machine)

    async def _put_away_again(self, record: Record) -> None:
        """Have the files of one that could not be resumed outlive the server, if they can."""
        with suppress(OSError):
            await self._runtime.preserve(record.sandbox.sandbox_id)
            self._records.keep(record.sandbox)

    def _watch(self, record: Record, machine: Machine) -> None:
        """A machine that dies by itself takes its sandbox along, whatever should end it else."""

        def end() -> None:
            if record.machine is not machine:
                return
            if record.sandbox.state in (State.RUNNING, State.PAUSED):
                record.lost = True
                record.sandbox.on_timeout = OnTimeout.KILL
                record.sandbox.end_at_ns = self._clock.now_ns()
                self.deadlines.add(record)

        machine.guest.on_death(end)

    def _begin_run(self, record: Record, timeout_s: int) -> None:
        now_ns = self._clock.now_ns()
        self._store.restart(record, now_ns)
        record.sandbox.end_at_ns = now_ns + timeout_s * SECOND_NS

    # -- pause ------------------------------------------------------------------------------------

    def begin_pause(self, record: Record, *, memory: bool) -> Move:
        """Take a running sandbox out of service; `finish_pause` must follow."""
        move = self._begin(record, State.PAUSING, State.PAUSED)
        record.sandbox.paused_memory = memory
        is_frozen = self._fates.frozen(record.sandbox.sandbox_id) is not None
        record.sandbox.unresponsive_at_pause = memory and is_frozen
        self._depart(record)
        return move

    async def finish_pause(self, record: Record, move: Move) -> None:
        """Freeze its machine, or keep just its files.

        Raises:
            ControlError: PAUSE_FAILED; the sandbox is gone.
        """
        sandbox = record.sandbox
        epoch = self._epoch
        machine = record.machine
        try:
            if machine is None:
                raise ControlError(ControlKind.PAUSE_FAILED)
            await self._before_pause(record)
            if sandbox.paused_memory:
                await machine.pause()
            else:
                record.machine = None
                await machine.close()
                await machine.guest.stop()
            await self._fates.paused(record)
            await self._runtime.preserve(sandbox.sandbox_id)
            sandbox.end_at_ns = self._clock.now_ns()
            record.expired = False
            self._store.enter_state(record, State.PAUSED)
            self._records.keep(sandbox)
        except BaseException as error:
            self._store.enter_state(record, State.KILLING)
            try:
                await self._boots.destroy(record, machine)
            finally:
                self._forget(record, move, epoch, _told(error, ControlKind.PAUSE_FAILED))
                await self._fates.gone(sandbox.sandbox_id)
                self.tell(Moment.KILLED, sandbox, kill_reason=KillReason.SEAL_FAILED)
            self._fail(sandbox, error, ControlKind.PAUSE_FAILED)
        self._free_slot(sandbox, epoch)
        self._settle(record, move)
        self.tell(Moment.PAUSED, sandbox)
        if record.machine is not None:
            self._watch(record, record.machine)

    # -- kill -------------------------------------------------------------------------------------

    def begin_kill(self, record: Record) -> Move:
        """Make a sandbox disappear; `finish_kill` must follow."""
        live = record.sandbox.state is not State.PAUSED
        if not live:
            # On a full disk too: a record without files is forgotten at the next start.
            with suppress(OSError):
                self._records.forget(record.sandbox)
        move = self._begin(record, State.KILLING, State.KILLING)
        if live:
            self._depart(record)
        else:
            # The end of a kill frees one: a paused sandbox has none of its own.
            self._store.shelf(record.sandbox.team_id).slots += 1
        return move

    async def finish_kill(
        self, record: Record, move: Move, reason: KillReason | None = None
    ) -> None:
        """End what runs and remove what is stored.

        Args:
            reason: None for what the record says.

        Raises:
            ControlError: KILL_FAILED; the sandbox is gone all the same.
        """
        epoch = self._epoch
        told: Exception | None = None
        try:
            await self._boots.destroy(record, record.machine)
        except BaseException as error:
            told = _told(error, ControlKind.KILL_FAILED)
            self._fail(record.sandbox, error, ControlKind.KILL_FAILED)
        finally:
            self._forget(record, move, epoch, told)
            await self._fates.gone(record.sandbox.sandbox_id)
            self.tell(Moment.KILLED, record.sandbox, kill_reason=reason or _kill_reason(record))

    # -- steps they share -------------------------------------------------------------------------

    def _begin(self, record: Record, through: State, target: State) -> Move:
        self._store.enter_state(record, through)
        record.sandbox.end_at_ns = self._clock.now_ns()
        move = record.move = Move(target, self._make_event())
        return move

    def _depart(self, record: Record) -> None:
        for listener in self._departures:
            listener(record.sandbox.sandbox_id)

    def _settle(self, record: Record, move: Move, error: Exception | None = None) -> None:
        record.move = None
        move.error = error
        move.done.set()

    def _forget(
        self, record: Record, move: Move, epoch: int, error: Exception | None = None
    ) -> None:
        self._store.remove(record)
        self._free_slot(record.sandbox, epoch)
        self._settle(record, move, error)

    def _fail(self, sandbox: Sandbox, error: BaseException, kind: ControlKind) -> NoReturn:
        """Raise what the task raises that made the change; a cancelled one goes on ending."""
        if isinstance(error, FakeE2BError) or not isinstance(error, Exception):
            raise error
        self.tell(Moment.FAILED, sandbox, error)
        raise ControlError(kind) from error

    def _take_slot(self, team: Team) -> None:
        shelf = self._store.shelf(team.team_id)
        if shelf.slots >= team.concurrent_sandboxes:
            raise ControlError(ControlKind.CONCURRENCY_LIMIT, limit=team.concurrent_sandboxes)
        shelf.slots += 1

    def _free_slot(self, sandbox: Sandbox, epoch: int) -> None:
        if epoch == self._epoch:
            self._store.shelf(sandbox.team_id).slots -= 1

    async def reset(self, together: Together) -> None:
        """Kill every sandbox and forget everything; starts in progress fail.

        Args:
            together: Awaits several at once.
        """
        while self._store.records:
            records = list(self._store.records.values())
            await together([self._finish_off(record) for record in records])
        self._epoch += 1
        self._store.clear()
        self.deadlines.clear()

    def restore(self, recorded: Sequence[Sandbox], found: Set[str]) -> None:
        """Have the paused sandboxes that were recorded and have their files; memory is gone."""
        for sandbox in recorded:
            if sandbox.sandbox_id in found:
                sandbox.paused_memory = False
                self._store.add(Record(sandbox, None))
            else:
                self._records.forget(sandbox)

    async def close(self, together: Together) -> None:
        """Kill what runs; what is paused stays, where there are records of it.

        Args:
            together: Awaits several at once.
        """
        if not self._records.last:
            await self.reset(together)
            return
        while running := [each for each in self._store.records.values() if not _rests(each)]:
            await together([self._finish_off(record) for record in running])
        for record in self._store.records.values():
            if record.machine is not None:
                await record.machine.close()

    async def _finish_off(self, record: Record) -> None:
        if record.move is not None:
            await record.move.done.wait()
        elif record.sandbox.sandbox_id in self._store.records:
            await self.finish_kill(record, self.begin_kill(record))


def _rests(record: Record) -> bool:
    return record.sandbox.state is State.PAUSED and record.move is None


def _kill_reason(record: Record) -> KillReason:
    if record.lost:
        return KillReason.UNKNOWN
    return KillReason.TIMEOUT if record.expired else KillReason.REQUEST


def _told(error: BaseException, kind: ControlKind) -> Exception:
    """What those learn who wait for a change that failed."""
    return error if isinstance(error, FakeE2BError) else ControlError(kind)
