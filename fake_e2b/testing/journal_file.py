"""A journal that is written to a file while it goes on, one JSON object a line."""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from fake_e2b.backend.journal import Journal
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.journal import JournalRecord
from fake_e2b.wire.journal import dropped_line, record_line

WAITING = 10_000
"""Records that may wait for a slow disk; more are dropped and counted."""
_FLUSH_S = 5.0


class JournalFile:
    """Writes each record when it is complete, and at the end those that are not.

    Each line is flushed, so that ``tail -f`` shows it. The server never waits for the file: a
    thread writes, and what it cannot keep up with is dropped; then a line says how many records
    are missing: ``{"kind": "dropped", "count": 3}``. A context manager.

    Raises:
        UsageError: The file cannot be written.
    """

    def __init__(
        self, journal: Journal, path: str | os.PathLike[str], *, waiting: int = WAITING
    ) -> None:
        self.path = Path(path)
        self.dropped = 0
        """Records that the disk was too slow for."""
        self.error: OSError | None = None
        """Why writing has ended; None while it goes well."""
        self._journal = journal
        self._queue: queue.Queue[JournalRecord | None] = queue.Queue(waiting)
        self._told = 0
        self._descriptor = _opened(self.path)
        self._start = journal.mark()
        self._end_listening: Callable[[], None] = journal.on_change(self._offer)
        self._thread = threading.Thread(target=self._write, name="fake-e2b journal", daemon=True)
        self._closed = False
        self._thread.start()

    def close(self) -> None:
        """Write what is waiting and what is not complete, then end. Twice is fine.

        It waits for a slow disk no longer than five seconds.
        """
        if self._closed:
            return
        self._closed = True
        self._end_listening()
        for record in self._journal.records(since=self._start):
            if record.is_open:
                self._put(record)
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=_FLUSH_S)
        self._thread.join(_FLUSH_S)

    def __enter__(self) -> JournalFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _offer(self, record: JournalRecord) -> None:
        if not record.is_open:
            self._put(record)

    def _put(self, record: JournalRecord) -> None:
        if self.error is not None:
            return
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def _write(self) -> None:
        with open(self._descriptor, "w", encoding="utf-8") as file:
            try:
                while (record := self._queue.get()) is not None:
                    file.write(record_line(record))
                    if self.dropped > self._told:
                        missing = self.dropped - self._told
                        self._told += missing
                        file.write(dropped_line(missing))
                    file.flush()
            except OSError as error:
                self.error = error
                with contextlib.suppress(OSError):
                    file.close()


def _opened(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        # Without waiting: a pipe that nobody reads would hold the program up.
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        reason = "nobody reads that pipe" if error.errno == errno.ENXIO else error.strerror
        raise UsageError(f"cannot write the journal to {path}: {reason}") from error
    os.set_blocking(descriptor, True)
    return descriptor
