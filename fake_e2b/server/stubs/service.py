"""The stubs of one fake: puts them into guests, and answers their calls."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, Protocol
from weakref import WeakKeyDictionary

from fake_e2b.backend.journal import Journal
from fake_e2b.backend.stubs import CallRecord, StubInForce, StubTable
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.ports import Guest
from fake_e2b.domain.stubs.call import Command, Site, StubCall
from fake_e2b.domain.stubs.rule import StubAnswer, StubRule
from fake_e2b.runtime.stubs.line import CallerGoneError, Line, texts
from fake_e2b.server.connection import LOGGER
from fake_e2b.server.stubs.answering import answer
from fake_e2b.server.stubs.noting import Note
from fake_e2b.server.stubs.running import RunningCall

FAILED = 70
"""What a stub exits with whose handler fails: an error of the software, says sysexits.h."""
_GRACE_S = 2.0


class Otherwise(Protocol):
    """Answers the calls in one guest that no stub answers."""

    @property
    def programs(self) -> frozenset[str]: ...
    def answer(self, command: Command) -> StubAnswer | None:
        """What is said, and with which code it ends; None: let the real program run."""
        ...

    def heard(self, command: Command, *, by_stub: bool) -> None:
        """Told of every call in the guest, and whether a stub answers it."""
        ...


class Stubs:
    """Stubs, the guests that have them, and the calls that are being answered.

    Its coroutines run on the server's loop; calls are answered in threads.
    """

    def __init__(self, clock: Clock, real_clock: Clock, journal: Journal) -> None:
        self._clock = clock
        self._real_clock = real_clock
        self._journal = journal
        self._table = StubTable()
        self._lock = threading.Lock()
        self._guests: WeakKeyDictionary[Guest, Site] = WeakKeyDictionary()
        self._otherwise: WeakKeyDictionary[Guest, Otherwise] = WeakKeyDictionary()
        self._turns: WeakKeyDictionary[Guest, asyncio.Lock] = WeakKeyDictionary()
        self._used = False
        self._lines: dict[Line, threading.Thread] = {}

    # -- what tests ask for ----------------------------------------------------------------------

    async def add(self, make: Callable[[Callable[[str], str]], StubRule]) -> StubInForce:
        """Put a stub in force, in the guests that run and in those to come.

        Args:
            make: Makes it, given what makes a name that is free of one that may be taken.

        Raises:
            UsageError: It makes no sense, or another one has its name.
        """
        with self._lock:
            added = self._table.add(make(self._table.free_name))
        self._used = True
        await self._reach_all()
        return added

    async def remove(self, name: str) -> None:
        """Take a stub back; the program is real again.

        Raises:
            UsageError: There is none of that name.
        """
        with self._lock:
            self._table.remove(name)
        await self._reach_all()

    async def reset(self) -> None:
        """Take all back, and end the calls that are being answered."""
        if not self._used:
            return
        with self._lock:
            self._table.clear()
        await self._reach_all()
        await self._end_calls()

    def find(self, name: str) -> StubInForce:
        """The stub of that name.

        Raises:
            UsageError: There is none.
        """
        with self._lock:
            return self._table.find(name)

    def all(self) -> list[StubInForce]:
        """In the order in which they were added."""
        with self._lock:
            return list(self._table)

    def calls(self, stub: StubInForce) -> list[StubCall]:
        """Those that it answered, oldest first."""
        with self._lock:
            return [record.value() for record in stub.records]

    def programs(self, site: Site) -> frozenset[str]:
        """Those that stubs stand in for at a place."""
        with self._lock:
            return self._table.programs(site)

    # -- guests ----------------------------------------------------------------------------------

    async def reach(self, site: Site, guest: Guest, otherwise: Otherwise | None = None) -> None:
        """A guest has come up, which stubs may be for; before it runs any program.

        Again for one that is known, in which others than the stubs may have changed things.

        Args:
            otherwise: Answers there what no stub does, in the place of who did so far.
        """
        self._guests[guest] = site
        if otherwise is not None and otherwise.programs:
            self._otherwise[guest] = otherwise
        if self._used or guest in self._otherwise:
            await self._show(guest, site)

    async def _reach_all(self) -> None:
        alive = [(guest, site) for guest, site in self._guests.items() if guest.alive]
        await asyncio.gather(*(self._show(guest, site) for guest, site in alive))

    async def _show(self, guest: Guest, site: Site) -> None:
        turn = self._turns.setdefault(guest, asyncio.Lock())
        otherwise = self._otherwise.get(guest)
        async with turn:
            programs = self.programs(site)
            if otherwise is not None:
                programs |= otherwise.programs
            try:
                await guest.intercept(
                    programs,
                    lambda descriptor: self._called(site, descriptor, self._otherwise.get(guest)),
                )
            except OSError as error:
                if guest.alive:
                    text = f"cannot stand in for {', '.join(sorted(programs))}: {error}"
                    self._journal.note("failed", sandbox_id=site.sandbox_id, detail=text)

    # -- calls -----------------------------------------------------------------------------------

    def _called(self, site: Site, descriptor: int, otherwise: Otherwise | None) -> None:
        line = Line(socket.socket(fileno=descriptor))
        loop = asyncio.get_running_loop()
        thread = threading.Thread(
            target=self._serve,
            args=(site, line, loop, otherwise),
            name="fake-e2b stub",
            daemon=True,
        )
        with self._lock:
            self._lines[line] = thread
        try:
            thread.start()
        except RuntimeError:  # no thread to spare: the real program runs
            self._forget(line)

    def _forget(self, line: Line) -> None:
        with self._lock:
            self._lines.pop(line, None)
        line.close()

    def _serve(
        self,
        site: Site,
        line: Line,
        loop: asyncio.AbstractEventLoop,
        otherwise: Otherwise | None,
    ) -> None:
        try:
            with suppress(CallerGoneError):
                self._answer(site, line, loop, otherwise)
        finally:
            self._forget(line)

    def _answer(
        self,
        site: Site,
        line: Line,
        loop: asyncio.AbstractEventLoop,
        otherwise: Otherwise | None,
    ) -> None:
        argv, cwd, environment = line.called()
        pairs = (entry.partition("=") for entry in texts(environment))
        command = Command(
            site.sandbox_id,
            texts(argv),
            os.fsdecode(cwd),
            {name: value for name, _, value in pairs},
        )
        note = Note(self._journal, loop, self._real_clock, command)
        chosen = self._choose(site, command, line, note)
        if otherwise is not None:
            otherwise.heard(command, by_stub=chosen != "nobody")
        if chosen == "nobody":
            declared = None if otherwise is None else otherwise.answer(command)
            if declared is None:
                line.pass_on()
            else:
                line.write(declared.stdout)
                line.write(declared.stderr, err=True)
                line.exit(declared.exit_code)
        if isinstance(chosen, str):
            return
        stub, record = chosen
        note.begin(stub.rule.name)
        call = RunningCall(command, line, record.heard)
        try:
            code = answer(stub.rule.answer, call, line)
        except CallerGoneError:
            note.end(None)
            raise
        except BaseException as error:
            code = _fail(line, note, f"the handler of the stub {stub.rule.name!r}", error)
        self._exit(line, record, code, note)

    def _choose(
        self, site: Site, command: Command, line: Line, note: Note
    ) -> tuple[StubInForce, CallRecord] | Literal["nobody", "done"]:
        """The stub that answers a call; or that none does, or that it was dealt with."""
        with self._lock:
            candidates = self._table.candidates(site, command)
        for stub in candidates:
            where = stub.rule.match.where
            try:
                if where is not None and not where(command):
                    continue
            except BaseException as error:
                note.begin(stub.rule.name)
                code = _fail(line, note, f"where= of the stub {stub.rule.name!r}", error)
                note.end(code)
                line.exit(code)
                return "done"
            with self._lock:
                record = stub.take(command, self._clock.now_ns())
            if record is not None:
                return stub, record
        return "nobody"

    def _exit(self, line: Line, record: CallRecord, code: int, note: Note) -> None:
        # Before it exits: who waits for that finds it.
        record.exit_code = code
        note.end(code)
        try:
            line.exit(code)
        except CallerGoneError:
            record.exit_code = None
            note.end(None)

    async def _end_calls(self) -> None:
        with self._lock:
            lines = dict(self._lines)
        for line in lines:
            line.cut()
        if lines:
            await asyncio.to_thread(_join, list(lines.values()))

    async def close(self) -> None:
        """Take all back; what is being answered is cut off."""
        with self._lock:
            self._table.clear()
        await self._end_calls()


def _join(threads: list[threading.Thread]) -> None:
    deadline = time.monotonic() + _GRACE_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            LOGGER.warning("the handler of a command stub goes on after the program has ended")


def _fail(line: Line, note: Note, what: str, error: BaseException) -> int:
    """Code of the test has failed: say so to whoever called, and in the journal.

    Raises:
        CallerGoneError: Nobody hears it any more.
    """
    note.failed(error)
    text = f"fake-e2b: {what} failed: {type(error).__name__}: {error}\n"
    try:
        line.write(text.encode(errors="replace"), err=True)
    except CallerGoneError:
        note.end(None)
        raise
    return FAILED
