"""`fake.journal`: what was asked of a fake, and what is expected to have been asked."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fake_e2b.backend.journal import Journal
from fake_e2b.backend.verification import (
    Count,
    JournalMismatchError,
    Predicate,
    Wanted,
    noted,
    verify,
    verify_order,
)
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.journal import JournalRecord
from fake_e2b.server.host import ServerThread
from fake_e2b.testing.journal_file import JournalFile

_GLANCE_S = 0.05
"""How long a wait goes on without looking again: what a stream says is not announced."""

Step = str | tuple[str, Mapping[str, Any]]


class FakeJournal:
    """The journal of a `FakeE2B`: everything that was asked and that happened, in order.

    Requests are named as in the API (``createSandbox``, ``Process.Start``, ``files.upload``,
    ``execute``); events are ``created``, ``paused``, ``resumed``, ``killed``, ``expired``,
    ``forked``, ``snapshotted``, ``updated``, ``failed``, ``processStarted``, ``processEnded``,
    ``faultHit`` and ``stubCalled``. Secrets are masked.

    Fields are keywords with two underscores between the parts of a path:
    ``body__metadata__userId="123"``, ``status=201``, ``command__contains="npm"``.
    """

    def __init__(self, journal: Journal, thread: ServerThread) -> None:
        self._journal = journal
        self._thread = thread
        self._files: list[JournalFile] = []

    # -- looking ---------------------------------------------------------------------------------

    def records(self, **conditions: Any) -> Sequence[JournalRecord]:
        """What was recorded, in order; every condition given must hold.

        Args:
            conditions: `since` and `until` (a number from `mark`, or an aware datetime of the
                fake's clock), `kind`, `operation` (a name or a pattern such as ``Process.*``),
                `method`, `path` (a part of it), `sandbox_id`, `status`, `metadata` (pairs that
                the sandbox has), `command` (a part, a pattern with ``*``, or after ``re:`` a
                regular expression), `text` (anywhere), `where` (a predicate), `last` (only so
                many, the newest).

        Raises:
            UsageError: There is no such condition.
        """
        return self._journal.records(**conditions)

    def mark(self) -> int:
        """The sequence number that the next record gets: a place to ask `records` from."""
        return self._journal.mark()

    @property
    def oldest(self) -> int:
        """The smallest sequence number still kept (`mark()` when there is none)."""
        return self._journal.oldest

    @property
    def capacity(self) -> int:
        """How many records are kept at most."""
        return self._journal.capacity

    def note(
        self, operation: str, *, sandbox_id: str | None = None, detail: str = ""
    ) -> JournalRecord:
        """Write a line of your own, such as the step that a test has come to."""

        async def write() -> JournalRecord:
            return self._journal.note(operation, sandbox_id=sandbox_id, detail=detail)

        return self._thread.call(write)

    # -- expecting -------------------------------------------------------------------------------

    def expect(
        self,
        operation: str,
        times: int | None = None,
        *,
        at_least: int | None = None,
        at_most: int | None = None,
        since: int = 0,
        where: Predicate | None = None,
        **fields: Any,
    ) -> list[JournalRecord]:
        """Fail unless that was asked: once, or as often as is said.

        Args:
            operation: A name, or a pattern such as ``Process.*``.
            since: Count only from there, a number from `mark`.
            where: A predicate over the record.
            fields: What must hold of the record's fields.

        Returns:
            The records that fit.

        Raises:
            JournalMismatchError: They are too few or too many; shows the nearest miss.
            UsageError: No such operation or field.
        """
        count = Count.of(times, at_least, at_most)
        wanted = self._wanted(operation, fields, where)
        return verify(self.records(since=since), wanted, count, self._journal.metadata)

    def never(
        self, operation: str, *, since: int = 0, where: Predicate | None = None, **fields: Any
    ) -> None:
        """Fail if that was asked.

        Raises:
            JournalMismatchError: It was.
            UsageError: No such operation or field.
        """
        self.expect(operation, times=0, since=since, where=where, **fields)

    def in_order(self, steps: Sequence[Step], *, since: int = 0) -> list[JournalRecord]:
        """Fail unless these were asked one after the other; others may lie between.

        Args:
            steps: Operations; one with fields is ``("createSandbox", {"status": 201})``.

        Returns:
            One record for each step.

        Raises:
            JournalMismatchError: A step is missing, or comes too early.
            UsageError: No such operation or field.
        """
        wanted = [self._step(step) for step in steps]
        return verify_order(self.records(since=since), wanted, self._journal.metadata)

    def wait_for(
        self,
        operation: str,
        times: int = 1,
        *,
        since: int = 0,
        timeout_s: float = 20,
        where: Predicate | None = None,
        **fields: Any,
    ) -> JournalRecord:
        """Wait until that was asked, `times` times; requests that are not answered yet count.

        Say ``duration_ms__exists=True`` to wait for the end of the answer.

        Returns:
            The record that made it complete.

        Raises:
            JournalMismatchError: It was not within `timeout_s` seconds.
            UsageError: No such operation or field.
        """
        look = self._looking(operation, times, since, where, fields)
        changed = threading.Event()
        deadline = time.monotonic() + timeout_s
        end = self._journal.on_change(lambda record: changed.set())
        try:
            while (found := look(time.monotonic() >= deadline)) is None:
                changed.wait(_GLANCE_S)
                changed.clear()
        finally:
            end()
        return found

    async def wait_for_async(
        self,
        operation: str,
        times: int = 1,
        *,
        since: int = 0,
        timeout_s: float = 20,
        where: Predicate | None = None,
        **fields: Any,
    ) -> JournalRecord:
        """The same for asyncio: the event loop goes on."""
        look = self._looking(operation, times, since, where, fields)
        deadline = time.monotonic() + timeout_s
        # Streams say more without announcing it, so there is no event to wait for.
        while (found := look(time.monotonic() >= deadline)) is None:  # noqa: ASYNC110
            await asyncio.sleep(_GLANCE_S / 5)
        return found

    def _looking(
        self,
        operation: str,
        times: int,
        since: int,
        where: Predicate | None,
        fields: Mapping[str, Any],
    ) -> Callable[[bool], JournalRecord | None]:
        count = Count.of(at_least=times)
        if times < 1:
            raise UsageError("wait_for waits for something: times must be 1 or more")
        wanted = self._wanted(operation, fields, where)

        def look(is_last: bool) -> JournalRecord | None:
            records, metadata = self.records(since=since), self._journal.metadata
            if is_last:
                return verify(records, wanted, count, metadata)[times - 1]
            found = wanted.among(records, metadata)
            return found[times - 1] if len(found) >= times else None

        return look

    def _step(self, step: Step) -> Wanted:
        if isinstance(step, str):
            return self._wanted(step, {}, None)
        try:
            operation, fields = step
            return self._wanted(operation, dict(fields), None)
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"{step!r} is no step: say an operation, or ('createSandbox', {{'status': 201}})"
            ) from error

    def _wanted(self, operation: str, fields: Mapping[str, Any], where: Predicate | None) -> Wanted:
        return Wanted.of(operation, fields, where=where, noted=noted(self.records(kind="state")))

    # -- files -----------------------------------------------------------------------------------

    def stream_to(self, path: str | os.PathLike[str]) -> JournalFile:
        """Write each record to a file from now on, as a line of JSON, until the fake stops.

        The file is begun anew. See `JournalFile`, which may be closed earlier.

        Raises:
            UsageError: It cannot be written.
        """
        file = JournalFile(self._journal, path)
        self._files.append(file)
        return file

    def close(self) -> None:
        """End all files; the fake does so when it stops."""
        files, self._files = self._files, []
        for file in files:
            file.close()


__all__ = ["FakeJournal", "JournalFile", "JournalMismatchError"]
