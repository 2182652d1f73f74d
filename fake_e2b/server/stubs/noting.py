"""The journal's record of one call of a stub."""

from __future__ import annotations

import asyncio
import shlex
import traceback
from collections.abc import Callable
from contextlib import suppress

from fake_e2b.backend.journal import Journal
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.journal import JournalRecord, RecordKind
from fake_e2b.domain.stubs.call import Command

OPERATION = "stubCalled"
"""What the journal calls it."""
_CODE = '"exitCode":'


class Note:
    """Written from the thread that answers, on the server's loop, which owns the journal.

    Args:
        real_clock: The machine's.
    """

    def __init__(
        self,
        journal: Journal,
        loop: asyncio.AbstractEventLoop,
        real_clock: Clock,
        command: Command,
    ) -> None:
        self._journal = journal
        self._loop = loop
        self._command = command
        self._began_ns = real_clock.now_ns()
        self._stub = ""
        self._traceback: str | None = None
        self._record: JournalRecord | None = None

    def begin(self, stub: str) -> None:
        """The stub of that name answers it."""
        self._stub = stub

    def failed(self, error: BaseException) -> None:
        """What the test gave to answer it with has failed."""
        self._traceback = "".join(traceback.format_exception(error))

    def end(self, code: int | None) -> None:
        """It exits with that, or was ended; None after a code takes that back."""
        self._soon(lambda: self._write(code))

    def _soon(self, step: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the server has ended
            self._loop.call_soon_threadsafe(step)

    def _write(self, code: int | None) -> None:
        record = self._record
        if record is not None:
            head, found, _ = record.body.rpartition(_CODE)
            if found:
                record.body = f"{head}{found}null}}"
            return
        self._record = self._journal.note(
            OPERATION,
            kind=RecordKind.STUB,
            sandbox_id=self._command.sandbox_id,
            details={
                "stub": self._stub,
                "command": shlex.join(self._command.argv),
                "argv": list(self._command.argv),
                "exitCode": code,
            },
            traceback=self._traceback,
            since_ns=self._began_ns,
        )
