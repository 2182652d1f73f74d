"""The journal as it comes, one line a record, for as long as somebody reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fake_e2b.backend.journal import Journal
from fake_e2b.backend.journal_query import Query, select
from fake_e2b.domain.journal import JournalRecord
from fake_e2b.wire.journal import dropped_line, record_line

_WAITING = 10_000
"""Records that may wait for a slow reader; more are dropped."""


async def follow(journal: Journal, query: Query, *, details: bool) -> AsyncIterator[str]:
    """Lines of the records that fit, each as soon as it is complete.

    Those complete already come first. A reader that is too slow misses records, and a line says
    how many.
    """
    waiting: asyncio.Queue[JournalRecord] = asyncio.Queue(_WAITING)
    dropped = 0

    def offer(record: JournalRecord) -> None:
        nonlocal dropped
        if record.is_open or not select([record], query, journal.metadata):
            return
        if waiting.full():
            dropped += 1
        else:
            waiting.put_nowait(record)

    end = journal.on_change(offer)
    try:
        complete = [record for record in journal.records(query) if not record.is_open]
        for record in complete:
            yield record_line(record, details=details)
        while True:
            yield record_line(await waiting.get(), details=details)
            if dropped:
                missing, dropped = dropped, 0
                yield dropped_line(missing)
    finally:
        end()
