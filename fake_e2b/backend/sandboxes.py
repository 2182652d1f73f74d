"""The operations on sandboxes: which request is allowed in which state, and what it waits for.

Fact: control.states.requests
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence, Set
from typing import Any, Literal, Protocol

from fake_e2b.backend.admission import CreateRequest, check_timeout
from fake_e2b.backend.changes import Changes, parsed_id, refusal
from fake_e2b.backend.creation import Creation
from fake_e2b.backend.entrance import Entrance
from fake_e2b.backend.expiry import Expired, Expiry
from fake_e2b.backend.fates import Fates
from fake_e2b.backend.forks import Forks
from fake_e2b.backend.lifecycle import Lifecycle
from fake_e2b.backend.machine import Machine, MachineFactory
from fake_e2b.backend.moments import LifecycleEvent
from fake_e2b.backend.node import Node
from fake_e2b.backend.patience import Endless, Patience
from fake_e2b.backend.snapshots import Snapshots
from fake_e2b.backend.store import Move, Record, Store
from fake_e2b.backend.teams import Teams
from fake_e2b.backend.template_builds import TemplateBuilds
from fake_e2b.backend.templates import Templates
from fake_e2b.backend.together import Together
from fake_e2b.backend.volumes import Volumes
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.due import Deadline, Happening
from fake_e2b.domain.event import KillReason
from fake_e2b.domain.ids import IdSource, SandboxID
from fake_e2b.domain.ports import Event, Runtime
from fake_e2b.domain.records import Records
from fake_e2b.domain.sandbox import SHOWN_AS, OnTimeout, Sandbox, State
from fake_e2b.domain.team import Team

FileOperation = Literal["read", "write"]
MAX_WAITS = 3
"""How many changes in progress one connect waits for."""


class Sign(Protocol):
    """The signature of a file URL, see `fake_e2b.wire.signature`."""

    def __call__(
        self,
        *,
        path: str,
        operation: FileOperation,
        username: str,
        token: str,
        expiration: int | None,
    ) -> str: ...


class Sandboxes:
    """Everything that can be asked about sandboxes.

    Args:
        store: Where they are.
        clock: Gives starts and ends.
        ids: Makes IDs and tokens.
        runtime: Makes guests.
        machines: Puts envd and the interpreter on a guest.
        templates: What sandboxes start from.
        builds: Makes their files.
        teams: Who owns them.
        volumes: What can be mounted in them.
        make_event: Makes the flags that waiting requests await.
        sign: Computes the signature of a file URL.
        together: Awaits several steps at once.
        before_pause: Called while a guest that is to be paused still runs.
        fates: What befalls sandboxes on the way.
        node: Where they start.
        records: Where the paused ones are written down.
        make_patience: See `Entrance`.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        ids: IdSource,
        runtime: Runtime,
        machines: MachineFactory,
        templates: Templates,
        builds: TemplateBuilds,
        teams: Teams,
        volumes: Volumes,
        make_event: Callable[[], Event],
        sign: Sign,
        together: Together,
        before_pause: Callable[[Record], Awaitable[None]],
        fates: Fates,
        node: Node,
        records: Records,
        make_patience: Callable[[], Patience] = Endless,
    ) -> None:
        self._store = store
        self._clock = clock
        self._sign = sign
        self._together = together
        self._lifecycle = Lifecycle(
            store=store,
            clock=clock,
            runtime=runtime,
            machines=machines,
            make_event=make_event,
            before_pause=before_pause,
            fates=fates,
            node=node,
            records=records,
        )
        self._fates = fates
        self._creation = Creation(
            clock=clock,
            ids=ids,
            templates=templates,
            builds=builds,
            volumes=volumes,
            lifecycle=self._lifecycle,
        )
        self.forks = Forks(find=self._find, ids=ids, lifecycle=self._lifecycle, together=together)
        self.snapshots = Snapshots(
            find=self._find,
            ids=ids,
            clock=clock,
            lifecycle=self._lifecycle,
            store=store,
            templates=templates,
        )
        self.changes = Changes(find=self._find, clock=clock, lifecycle=self._lifecycle)
        self._entrance = Entrance(store, teams, self._lifecycle, make_patience)
        self._expiry = Expiry(self._lifecycle, clock, together)

    # -- create and look --------------------------------------------------------------------------

    async def create(self, team: Team, request: CreateRequest) -> Sandbox:
        """A new running sandbox.

        Raises:
            ControlError: As `Creation.create`.
        """
        return await self._creation.create(team, request)

    def detail(self, team: Team, text: str) -> Sandbox:
        """The sandbox as it is.

        Raises:
            ControlError: INVALID_SANDBOX_ID; SANDBOX_NOT_FOUND, which names `text` as it came.
        """
        record = self._store.get(parsed_id(text))
        if record is None or record.sandbox.team_id != team.team_id:
            raise ControlError(ControlKind.SANDBOX_NOT_FOUND, sandbox_id=text)
        if SHOWN_AS[record.sandbox.state] is None:
            raise ControlError(ControlKind.SANDBOX_NOT_FOUND, sandbox_id=text)
        return record.sandbox

    def _find(self, team: Team, text: str) -> Record:
        sandbox_id = parsed_id(text)
        record = self._store.get(sandbox_id)
        if record is None or record.sandbox.team_id != team.team_id:
            raise ControlError(ControlKind.SANDBOX_NOT_FOUND, sandbox_id=sandbox_id)
        return record

    # -- state ------------------------------------------------------------------------------------

    async def kill(self, team: Team, text: str, reason: KillReason = KillReason.REQUEST) -> None:
        """End a sandbox and everything stored of it, once what is happening to it is over.

        Args:
            reason: What its event is to say.

        Raises:
            ControlError: INVALID_SANDBOX_ID, SANDBOX_NOT_FOUND, KILL_FAILED.
        """
        while True:
            record = self._find(team, text)
            move = record.move
            if move is None:
                move = self._lifecycle.begin_kill(record)
                await self._lifecycle.finish_kill(record, move, reason)
                return
            await move.done.wait()
            if move.target is State.KILLING:
                _raise_if_failed(move)
                return

    async def die(self, sandbox_id: str) -> None:
        """End a sandbox that nobody asked to end; nothing to do when there is none."""
        while (record := self._store.get(sandbox_id)) is not None:
            if record.move is None:
                record.lost = True
                await self._lifecycle.finish_kill(record, self._lifecycle.begin_kill(record))
            else:
                await record.move.done.wait()

    async def pause(
        self, team: Team, text: str, *, memory: bool = True, require_healthy: bool = False
    ) -> None:
        """Pause a running sandbox; a pause in progress is joined.

        Args:
            memory: Keep processes and memory, not just files.
            require_healthy: Refuse when its machine has died.

        Raises:
            ControlError: ALREADY_PAUSED, SANDBOX_NOT_FOUND, GUEST_UNHEALTHY, PAUSE_FAILED.
        """
        while True:
            record = self._find(team, text)
            state, move = record.sandbox.state, record.move
            if state is State.PAUSED:
                raise refusal(ControlKind.ALREADY_PAUSED, record)
            if state is State.KILLING:
                raise refusal(ControlKind.SANDBOX_NOT_FOUND, record)
            if move is None:
                break
            await move.done.wait()
            if move.target is State.PAUSED:
                _raise_if_failed(move)
                return
        machine = record.machine
        answers = machine is not None and machine.guest.alive
        if self._fates.frozen(record.sandbox.sandbox_id) is not None:
            answers = False
        if (require_healthy or not memory) and not answers:
            raise refusal(ControlKind.GUEST_UNHEALTHY, record)
        self._fates.check_pause(record)
        move = self._lifecycle.begin_pause(record, memory=memory)
        await self._lifecycle.finish_pause(record, move)

    async def resume(
        self,
        team: Team,
        text: str,
        *,
        timeout_s: int,
        auto_pause: bool | None = None,
        memory: bool = True,
    ) -> Sandbox:
        """Run a paused sandbox again; a start in progress is joined.

        Raises:
            ControlError: Timeout, ID or state refuse it; CONCURRENCY_LIMIT; CREATE_FAILED;
                GUEST_WAS_UNRESPONSIVE, unless it is to boot from its files.
        """
        sandbox_id = parsed_id(text)
        check_timeout(timeout_s, team)
        while True:
            record = self._find(team, sandbox_id)
            state = record.sandbox.state
            if state is State.RUNNING:
                raise refusal(ControlKind.ALREADY_RUNNING, record)
            if state is State.SNAPSHOTTING:
                raise refusal(ControlKind.SNAPSHOT_IN_PROGRESS, record)
            if state is State.KILLING:
                raise refusal(ControlKind.SANDBOX_NOT_FOUND, record)
            if state is State.PAUSED:
                break
            await _done(record)
        if auto_pause is not None and record.move is None:
            record.sandbox.on_timeout = OnTimeout.PAUSE if auto_pause else OnTimeout.KILL
        await self._start_or_join(record, team, timeout_s, memory=memory)
        return record.sandbox

    async def connect(
        self, team: Team, text: str, *, timeout_s: int, memory: bool = True
    ) -> tuple[Sandbox, bool]:
        """Extend a running sandbox, or resume a paused one.

        Returns:
            The sandbox, and whether it had to be resumed.

        Raises:
            ControlError: As `resume`; BEING_KILLED; MAX_LENGTH_EXCEEDED.
        """
        check_timeout(timeout_s, team, zero_allowed=True)
        for _ in range(MAX_WAITS + 1):
            record = self._find(team, text)
            state = record.sandbox.state
            if state is State.KILLING:
                raise refusal(ControlKind.BEING_KILLED, record)
            if state is State.RUNNING:
                self.changes.extend(record, team, timeout_s)
                return record.sandbox, False
            if state is State.PAUSED:
                await self._start_or_join(record, team, timeout_s, memory=memory)
                return record.sandbox, True
            await _done(record)
        raise refusal(ControlKind.BEING_PAUSED, record)

    async def _start_or_join(
        self, record: Record, team: Team, timeout_s: int, *, memory: bool
    ) -> None:
        move = record.move
        if move is None:
            if memory and record.sandbox.unresponsive_at_pause:
                raise refusal(ControlKind.GUEST_WAS_UNRESPONSIVE, record)
            await self._lifecycle.start(record, team, timeout_s, cold=not memory)
            return
        if not memory:
            raise refusal(ControlKind.START_IN_FLIGHT, record)
        await move.done.wait()
        _raise_if_failed(move)

    # -- what the rest of the fake asks -----------------------------------------------------------

    async def enter(
        self,
        sandbox_id: str,
        *,
        port: int,
        access_token: str | None,
        traffic_token: str | None,
    ) -> tuple[Sandbox, Machine]:
        """The running machine behind a sandbox ID, woken if its policy says so.

        Raises:
            ProxyError: See `fake_e2b.backend.entrance`.
        """
        return await self._entrance.enter(
            sandbox_id, port=port, access_token=access_token, traffic_token=traffic_token
        )

    def find_by_access_token(self, token: str) -> SandboxID | None:
        """Whose envd token it is."""
        return self._store.find_by_token(token)

    def find_by_signature(
        self,
        path: str,
        operation: FileOperation,
        username: str,
        signature: str,
        expiration: int | None,
    ) -> SandboxID | None:
        """Whose token signed a file URL; arguments as its query has them."""
        for record in self._store.records.values():
            token = record.sandbox.envd_access_token
            if token is None:
                continue
            expected = self._sign(
                path=path,
                operation=operation,
                username=username,
                token=token,
                expiration=expiration,
            )
            if expected == signature:
                return record.sandbox.sandbox_id
        return None

    def record(self, sandbox_id: str) -> Record | None:
        """The record of one sandbox, whoever's it is; None when there is none."""
        return self._store.get(sandbox_id)

    def records(self) -> list[Record]:
        """Every sandbox that is not gone, oldest first."""
        return list(self._store.records.values())

    def on_departure(self, listener: Callable[[SandboxID], None]) -> None:
        """Call `listener` when a run ends: its open streams must be cut."""
        self._lifecycle.on_departure(listener)

    def on_event(self, listener: Callable[[LifecycleEvent], None]) -> None:
        """Call `listener` after each change of a sandbox."""
        self._lifecycle.on_event(listener)

    def on_expiry(self, listener: Callable[[Expired], None]) -> None:
        """Call `listener` for each sandbox whose time is up, before anything happens to it."""
        self._expiry.on_expiry(listener)

    def on_deadline_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever the next end may have come nearer."""
        self._lifecycle.deadlines.on_change(listener)

    def next_deadline(self) -> Deadline | None:
        """Whose time is up next, and what that does to it; None when none runs."""
        return self._lifecycle.deadlines.next()

    def run_due(self) -> Coroutine[Any, Any, list[Happening]]:
        """Kill or pause the sandboxes whose time is up; see `Expiry.run_due`."""
        return self._expiry.run_due()

    def restore(self, recorded: Sequence[Sandbox], found: Set[str]) -> None:
        """Have the paused sandboxes of an earlier server again that have their files."""
        self._lifecycle.restore(recorded, found)

    async def close(self) -> None:
        """Kill what runs; forget the rest, or leave it to a later server."""
        await self._lifecycle.close(self._together)

    async def reset(self) -> None:
        """Kill every sandbox; forget everything about them, and what was made from them."""
        await self._lifecycle.reset(self._together)
        await self.snapshots.reset()


def _raise_if_failed(move: Move) -> None:
    if move.error is not None:
        raise move.error


async def _done(record: Record) -> None:
    if record.move is not None:
        await record.move.done.wait()
