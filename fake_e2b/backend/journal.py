"""The bounded record of everything that was asked of the fake, and of what happened in it.

Written on every request, so each step is a few dictionary look-ups: headers are masked once per
distinct header, and what many records have in common is kept once. One thread writes; any thread
may read, for readers copy the ring in one step.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from fake_e2b.backend.journal_metadata import SandboxMetadata
from fake_e2b.backend.journal_query import Query, select
from fake_e2b.backend.masking import (
    Secrets,
    mask_header,
    mask_json,
    mask_query,
    mask_secret_body,
)
from fake_e2b.domain.clock import Clock, MovableClock
from fake_e2b.domain.journal import Excerpt, JournalRecord, RecordKind, StreamSummary
from fake_e2b.domain.operations import UNKNOWN, Plane, match_operation

JOURNAL_KEY = "fake_e2b.journal"
"""The ASGI scope's key for the journal, beside `domain.journal.RECORD_KEY`."""
CAPACITY = 100_000
MAX_BYTES = 56_000_000
"""What all records may take; a record's share is estimated when its answer has ended. With what
they share and the sandboxes' metadata, which have a bound of their own, it is 60 MB."""
BODY_KEPT = 16_384
"""The longest JSON body that is kept whole, in bytes."""
ANSWER_KEPT = 4_096
"""The longest JSON answer that is kept whole, in bytes."""
BODY_SHOWN = 300
"""Characters kept of every other body, and of a refusing answer."""
TRACEBACK_SHOWN = 20_000
_REMEMBERED = 4096
_HEADERS_REMEMBERED = 1024
_LISTS_REMEMBERED = 256
"""A list is remembered with all its bytes, which are as many as a record's."""
_SHARED_UP_TO = 400
"""Longer texts are seldom the same twice."""
_RECORD_BYTES = 420
"""A record without texts: object, numbers, path, its share of headers. Measured."""
_NUMBER_BYTES = 48
_STREAM_BYTES = 180
_SECRET_OF = {"secrets": "value", "events/webhooks": "signatureSecret"}
"""The beginnings of paths whose bodies hold a secret, and by which name."""
_ENVELOPE = 5
"""Bytes before the message in a Connect stream: flags and length."""
_COMPRESSED = 1
_TRIM = 4096
_CUT_END = re.compile(rb"[0-9a-f]{8,}\Z")
_CUT_BEGINNING = re.compile(rb"\A[0-9a-f]{8,}")

_CREATING = frozenset({"createSandbox"})
_ID_FIELD = '"sandboxID":'
_Hashable = TypeVar("_Hashable")
Listener = Callable[[JournalRecord], None]


class Journal:
    """A ring of records, oldest dropped first.

    Args:
        clock: The fake's clock.
        real_clock: The machine's; durations are measured with it.
        capacity: Records kept.
        max_bytes: What they may take, by estimate.
    """

    def __init__(
        self,
        clock: Clock,
        real_clock: Clock,
        *,
        capacity: int = CAPACITY,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.capacity = capacity
        self.max_bytes = max_bytes
        self.secrets = Secrets()
        self._clock = clock
        self._real_clock = real_clock
        self._shown_at = clock.shown_at if isinstance(clock, MovableClock) else None
        # Dropped records leave None at the beginning until it is worth cutting that off.
        self._ring: list[JournalRecord | None] = []
        self._gone = 0
        self._next = 0
        self._bytes = 0
        self._header: dict[tuple[bytes, bytes], tuple[str, str]] = {}
        self._headers: dict[tuple[tuple[bytes, bytes], ...], tuple[tuple[str, str], ...]] = {}
        self._shared: dict[Any, Any] = {}
        self.metadata = SandboxMetadata()
        self._listeners: list[Listener] = []

    # -- writing ---------------------------------------------------------------------------------

    def open(
        self, method: str, path: str, headers: Iterable[tuple[bytes, bytes]], client: str
    ) -> JournalRecord:
        """Record a request that arrived; `identify`, `keep_body` and `close` complete it.

        Args:
            path: Raw, with its query.
            headers: Names in lower case, as ASGI has them.
        """
        at_ns, real_ns = self._now()
        record = JournalRecord(
            self._next,
            at_ns,
            real_ns,
            RecordKind.REQUEST,
            UNKNOWN,
            self._once(method),
            self._once(self.secrets.masked(mask_query(path))),
            None,
            None,
            None,
            self._once(client),
            self._masked(tuple(headers)),
        )
        self._append(record)
        return record

    def identify(
        self, record: JournalRecord, plane: Plane, *, sandbox_id: str | None = None
    ) -> None:
        """Name the record's operation, once it is known which part of the fake it is for."""
        match = match_operation(plane, record.method, record.path.partition("?")[0])
        record.operation = match.operation
        found = sandbox_id or match.sandbox_id
        record.sandbox_id = found and self._once(found)
        if self._listeners:
            self._tell(record)

    def keep_body(self, record: JournalRecord, beginning: bytes) -> None:
        """Keep what a person can read of the body's beginning, a JSON body whole if it is short."""
        content_type = next((value for name, value in record.headers if name == "content-type"), "")
        path = record.path.lstrip("/")
        secret = next((_SECRET_OF[each] for each in _SECRET_OF if path.startswith(each)), None)
        if secret is not None:
            text, whole = mask_secret_body(beginning, secret), True
        else:
            text, whole = _readable(content_type, beginning)
        self.keep_text(record, text if whole else text[:BODY_SHOWN])

    def keep_text(self, record: JournalRecord, text: str) -> None:
        """Keep a body that was decoded already."""
        if len(text) > BODY_KEPT:
            text = text[:BODY_SHOWN]
        record.body = self._once(self.secrets.masked(mask_json(text)))
        if self._listeners:
            self._tell(record)

    def close(self, record: JournalRecord, *, answer: bytes = b"", whole: bool = False) -> None:
        """The answer ended, or was cut off.

        Args:
            answer: The beginning of a refusal's body, or a JSON answer.
            whole: Whether it is all of it, to be kept up to `ANSWER_KEPT`.
        """
        record.duration_ns = self._real_clock.now_ns() - record.real_ns
        if answer:
            text = answer[: ANSWER_KEPT if whole else BODY_SHOWN].decode("utf-8", "replace")
            record.answer = self._once(self.secrets.masked(mask_json(text)))
            if record.operation in _CREATING and record.sandbox_id is None:
                record.sandbox_id = self._made(text)
        if record.stream is not None:
            self._settle(record.stream)
        if record.traceback is not None:
            record.traceback = self.secrets.masked(record.traceback[-TRACEBACK_SHOWN:])
        if self._has(record):
            self._grow(_texts(record))
        if self._listeners:
            self._tell(record)

    def note(
        self,
        operation: str,
        *,
        kind: RecordKind = RecordKind.STATE,
        sandbox_id: str | None = None,
        detail: str = "",
        details: Mapping[str, object] | None = None,
        traceback: str | None = None,
        since_ns: int | None = None,
    ) -> JournalRecord:
        """Record something that is no request, e.g. ``note("paused", sandbox_id=…)``.

        Args:
            operation: A word of `domain.journal.EVENTS`, or any other.
            detail: A sentence.
            details: Instead of a sentence, an object that JSON can hold.
            since_ns: When it began, by the machine's clock.
        """
        text = json.dumps(details, ensure_ascii=False, separators=(",", ":")) if details else detail
        at_ns, real_ns = self._now()
        record = JournalRecord(
            self._next,
            at_ns,
            real_ns,
            kind,
            operation,
            sandbox_id=sandbox_id and self._once(sandbox_id),
            body=self._once(self.secrets.masked(mask_json(text[:BODY_KEPT]))),
            duration_ns=0 if since_ns is None else real_ns - since_ns,
            traceback=traceback,
        )
        self._append(record)
        self._grow(_texts(record))
        if self._listeners:
            self._tell(record)
        return record

    def clear(self) -> None:
        """Forget every record; sequence numbers go on."""
        self._ring = []
        self._gone = self._bytes = 0
        self._header.clear()
        self._headers.clear()
        self._shared.clear()
        self.metadata.clear()
        self.secrets.clear()

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` whenever a record is new, named or complete; returns what ends that.

        It is called by the thread that writes and must return at once.
        """
        # Single steps of a list, for this is called from any thread.
        self._listeners.append(listener)

        def end() -> None:
            with suppress(ValueError):
                self._listeners.remove(listener)

        return end

    def _tell(self, record: JournalRecord) -> None:
        for listener in self._listeners[:]:
            listener(record)

    def _now(self) -> tuple[int, int]:
        """Both clocks' instants: one number where they agree, which is then kept once."""
        real_ns = self._real_clock.now_ns()
        if self._shown_at is not None:
            return self._shown_at(real_ns), real_ns
        return self._clock.now_ns(), real_ns

    def _append(self, record: JournalRecord) -> None:
        self._ring.append(record)
        self._next += 1
        self._grow(_record_bytes(record))
        if len(self._ring) - self._gone > self.capacity:
            self._drop()

    def _grow(self, by: int) -> None:
        self._bytes += by
        while self._bytes > self.max_bytes and self._gone < len(self._ring) - 1:
            self._drop()

    def _drop(self) -> None:
        record = self._ring[self._gone]
        self._ring[self._gone] = None
        self._gone += 1
        if record is not None:
            self._bytes -= _record_bytes(record) + (0 if record.is_open else _texts(record))
        if self._gone >= _TRIM and self._gone * 2 > len(self._ring):
            del self._ring[: self._gone]
            self._gone = 0

    def _has(self, record: JournalRecord) -> bool:
        return record.sequence >= self.oldest

    def _settle(self, stream: StreamSummary) -> None:
        """A stream has ended: mask what came out, keep once what many streams have in common."""
        frames = tuple(stream.frames.items())
        stream.frames = self._shared.setdefault(frames, stream.frames)
        for excerpt in (stream.stdout, stream.stderr, stream.pty):
            if excerpt is not None:
                self._mask_excerpt(excerpt)

    def _mask_excerpt(self, excerpt: Excerpt) -> None:
        head, tail = excerpt.head, excerpt.tail
        left_out = excerpt.size - len(head) - len(tail)
        if tail and not left_out:
            head, tail = head + tail, b""
        shown = [self._masked_bytes(part) for part in (head, tail)]
        if left_out:
            # Half a token may stand where something is left out.
            shown = [_CUT_END.sub(b"****", shown[0]), _CUT_BEGINNING.sub(b"****", shown[1])]
        excerpt.head, excerpt.tail = shown
        excerpt.size = left_out + len(shown[0]) + len(shown[1])

    def _masked_bytes(self, data: bytes) -> bytes:
        text = data.decode("utf-8", "surrogateescape")
        masked = self.secrets.masked(text)
        return data if masked is text else masked.encode("utf-8", "surrogateescape")

    def _made(self, answer: str) -> str | None:
        _, found, rest = answer.partition(_ID_FIELD)
        parts = rest.split('"', 2)
        return self._once(parts[1].partition("-")[0]) if found and len(parts) == 3 else None

    def _once(self, value: _Hashable) -> _Hashable:
        """The value that was kept before, if there was an equal one."""
        if isinstance(value, str) and len(value) > _SHARED_UP_TO:
            return value
        shared = self._shared
        if len(shared) >= _REMEMBERED:
            shared.clear()
        kept: _Hashable = shared.setdefault(value, value)
        return kept

    def _masked(self, headers: tuple[tuple[bytes, bytes], ...]) -> tuple[tuple[str, str], ...]:
        found = self._headers.get(headers)
        if found is None:
            found = tuple([self._masked_one(header) for header in headers])
            if len(self._headers) >= _LISTS_REMEMBERED:
                self._headers.clear()
            self._headers[headers] = found
        return found

    def _masked_one(self, header: tuple[bytes, bytes]) -> tuple[str, str]:
        pair = self._header.get(header)
        if pair is None:
            if len(self._header) >= _HEADERS_REMEMBERED:
                self._header.clear()
            name, value = header[0].decode("latin-1"), header[1].decode("latin-1")
            pair = (self._once(name), self.secrets.masked(mask_header(name, value)))
            self._header[header] = pair
        return pair

    # -- reading ---------------------------------------------------------------------------------

    def mark(self) -> int:
        """The sequence number that the next record gets: a place to ask `records` from."""
        return self._next

    @property
    def oldest(self) -> int:
        """The smallest sequence number still kept (`mark()` when there is none)."""
        return self._next - (len(self._ring) - self._gone)

    @property
    def size(self) -> int:
        """Bytes that the records take, by estimate."""
        return self._bytes

    def records(self, query: Query | None = None, **conditions: Any) -> Sequence[JournalRecord]:
        """What was recorded, in order; every condition given must hold.

        Args:
            query: The conditions; else they are given as arguments, named as `Query`'s fields.

        Raises:
            UsageError: There is no such condition.
        """
        if query is None:
            query = Query.of(conditions)
        return select(self._copy(), query, self.metadata)

    def _copy(self) -> list[JournalRecord]:
        copy: list[Any] = self._ring[:]
        first = 0
        if copy and copy[0] is None:
            low, high = 0, len(copy)
            while low < high:
                middle = (low + high) // 2
                if copy[middle] is None:
                    low = middle + 1
                else:
                    high = middle
            first = low
        return copy[first:] if first else copy


def _record_bytes(record: JournalRecord) -> int:
    return _RECORD_BYTES if record.at_ns is record.real_ns else _RECORD_BYTES + _NUMBER_BYTES


def _texts(record: JournalRecord) -> int:
    """Bytes of what a record has beyond every other."""
    size = len(record.body) + len(record.answer)
    if record.traceback is not None:
        size += len(record.traceback)
    stream = record.stream
    if stream is not None:
        size += _STREAM_BYTES
        for excerpt in (stream.stdout, stream.stderr, stream.pty):
            if excerpt is not None:
                size += _STREAM_BYTES + len(excerpt.head) + len(excerpt.tail)
    return size


def _readable(content_type: str, beginning: bytes) -> tuple[str, bool]:
    """The text, and whether it is JSON that may be kept whole."""
    if not beginning:
        return "", False
    media_type = content_type.partition(";")[0].strip().lower()
    is_json = media_type == "application/json"
    whole = is_json and len(beginning) <= BODY_KEPT
    if media_type == "application/connect+json":
        if beginning[0] & _COMPRESSED:
            return "(compressed)", False
        size = int.from_bytes(beginning[1:_ENVELOPE], "big")
        whole = _ENVELOPE + size <= min(len(beginning), BODY_KEPT)
        beginning = beginning[_ENVELOPE : _ENVELOPE + size]
    elif not is_json and not media_type.startswith("text/"):
        return f"({media_type or 'no content type'})", False
    if not whole:
        beginning = beginning[: 4 * BODY_SHOWN]
    return beginning.decode("utf-8", "replace"), whole
