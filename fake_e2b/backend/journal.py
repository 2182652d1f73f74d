"""The bounded record of everything that was asked of the fake.

Written on every request, so each step is a few dictionary look-ups: headers are masked once per
distinct header and shared between records. One thread writes; any thread may read, for readers
copy the ring in one step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fake_e2b.backend.masking import mask_header, mask_json, mask_query
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.journal import JournalRecord, RecordKind
from fake_e2b.domain.operations import UNKNOWN, Plane, match_operation

CAPACITY = 10_000
BODY_SHOWN = 300
"""Characters kept of a request's body and of a refusing answer's."""
_HEADERS_REMEMBERED = 4096
_ENVELOPE = 5
"""Bytes before the message in a Connect stream: flags and length."""


class Journal:
    """A ring of records, oldest dropped first.

    Args:
        clock: The fake's clock.
        real_clock: The machine's; durations are measured with it.
        capacity: Records kept.
    """

    def __init__(self, clock: Clock, real_clock: Clock, *, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self._clock = clock
        self._real_clock = real_clock
        self._ring: list[JournalRecord] = []
        self._next = 0
        self._first = 0
        self._headers: dict[tuple[bytes, bytes], tuple[str, str]] = {}

    # -- writing ---------------------------------------------------------------------------------

    def open(
        self, method: str, path: str, headers: Iterable[tuple[bytes, bytes]], client: str
    ) -> JournalRecord:
        """Record a request that arrived; `identify`, `keep_body` and `close` complete it.

        Args:
            path: Raw, with its query.
            headers: Names in lower case, as ASGI has them.
        """
        now_ns = self._clock.now_ns()
        record = JournalRecord(
            self._next,
            now_ns,
            now_ns if self._real_clock is self._clock else self._real_clock.now_ns(),
            RecordKind.REQUEST,
            UNKNOWN,
            method,
            mask_query(path),
            headers=self._masked(headers),
            client=client,
        )
        self._append(record)
        return record

    def identify(
        self, record: JournalRecord, plane: Plane, *, sandbox_id: str | None = None
    ) -> None:
        """Name the record's operation, once it is known which part of the fake it is for."""
        match = match_operation(plane, record.method, record.path.partition("?")[0])
        record.operation = match.operation
        record.sandbox_id = sandbox_id or match.sandbox_id

    def keep_body(self, record: JournalRecord, beginning: bytes) -> None:
        """Keep what a person can read of the body's beginning."""
        content_type = next((value for name, value in record.headers if name == "content-type"), "")
        record.body = _readable(content_type, beginning)

    def close(self, record: JournalRecord, *, answer: bytes = b"") -> None:
        """The answer ended, or was cut off; `answer` is the beginning of a refusal's body."""
        record.duration_ns = self._real_clock.now_ns() - record.real_ns
        if answer:
            record.answer = mask_json(answer[:BODY_SHOWN].decode("utf-8", "replace"))

    def note(
        self, operation: str, *, sandbox_id: str | None = None, detail: str = ""
    ) -> JournalRecord:
        """Record something that the fake did by itself, e.g. ``note("expired", sandbox_id=…)``."""
        record = JournalRecord(
            self._next,
            self._clock.now_ns(),
            self._real_clock.now_ns(),
            RecordKind.STATE,
            operation,
            sandbox_id=sandbox_id,
            body=detail,
            duration_ns=0,
        )
        self._append(record)
        return record

    def clear(self) -> None:
        """Forget every record; sequence numbers go on."""
        self._ring = []
        self._first = self._next

    def _append(self, record: JournalRecord) -> None:
        if len(self._ring) < self.capacity:
            self._ring.append(record)
        else:
            self._ring[(self._next - self._first) % self.capacity] = record
        self._next += 1

    def _masked(self, headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
        known = self._headers
        shown = []
        for header in headers:
            pair = known.get(header)
            if pair is None:
                if len(known) >= _HEADERS_REMEMBERED:
                    known.clear()
                name = header[0].decode("latin-1")
                pair = (name, mask_header(name, header[1].decode("latin-1")))
                known[header] = pair
            shown.append(pair)
        return tuple(shown)

    # -- reading ---------------------------------------------------------------------------------

    def mark(self) -> int:
        """The sequence number that the next record gets: a place to ask `records` from."""
        return self._next

    @property
    def oldest(self) -> int:
        """The smallest sequence number still kept (`mark()` when there is none)."""
        return max(self._first, self._next - self.capacity)

    def records(
        self,
        *,
        since: int = 0,
        until: int | None = None,
        kind: RecordKind | None = None,
        operation: str | None = None,
        method: str | None = None,
        path: str | None = None,
        sandbox_id: str | None = None,
        status: int | None = None,
        last: int | None = None,
    ) -> Sequence[JournalRecord]:
        """What was recorded, in order; every condition given must hold.

        Args:
            since: First sequence number, from `mark`.
            until: The sequence number to stop before.
            path: Text that the path contains.
            last: Only so many, the newest.
        """
        found = [
            record
            for record in self._in_order()
            if record.sequence >= since
            and (until is None or record.sequence < until)
            and (kind is None or record.kind is kind)
            and (operation is None or record.operation == operation)
            and (method is None or record.method == method)
            and (path is None or path in record.path)
            and (sandbox_id is None or record.sandbox_id == sandbox_id)
            and (status is None or record.status == status)
        ]
        return found if last is None else found[max(0, len(found) - last) :]

    def _in_order(self) -> list[JournalRecord]:
        copy = self._ring[:]
        if len(copy) < self.capacity:
            return copy
        return sorted(copy, key=lambda record: record.sequence)


def _readable(content_type: str, beginning: bytes) -> str:
    if not beginning:
        return ""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "application/connect+json":
        beginning = beginning[_ENVELOPE:]
    elif media_type != "application/json" and not media_type.startswith("text/"):
        return f"({media_type or 'no content type'})"
    return mask_json(beginning[:BODY_SHOWN].decode("utf-8", "replace"))
