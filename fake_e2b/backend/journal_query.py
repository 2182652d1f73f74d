"""Finding records: the conditions, and the quickest order to ask them in."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from fake_e2b.backend.journal_metadata import SandboxMetadata
from fake_e2b.domain.clock import from_datetime
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import nearest
from fake_e2b.domain.journal import NAMES, JournalRecord, RecordKind

_GLOB = re.compile(r"[*?\[]")
_REGEX = "re:"
_RUNNING = frozenset({"Process.Start", "execute", "processStarted", "processEnded", "stubCalled"})
_PLAIN = re.compile(r"[\w .,:;/=+@%-]{3,}", re.ASCII)
"""Text that JSON writes as it is, whoever writes it."""


@dataclass(frozen=True, slots=True)
class Query:
    """What must hold of a record; every condition that is given must.

    Attributes:
        since: The first one: a sequence number from `Journal.mark`, or an instant of the fake's
            clock.
        until: Where to stop: a sequence number, or an instant; that one is left out.
        kind: What the record is about.
        operation: A name (``createSandbox``, ``processEnded``) or a pattern (``Process.*``). One
            that is nearly a name is refused.
        method: The HTTP method.
        path: Text that the path contains.
        sandbox_id: The sandbox it was for.
        status: The answer's HTTP status.
        metadata: Pairs that the sandbox's metadata hold, or those that `createSandbox` asks for.
        command: Text that the command line or the code contains; a pattern of the whole where it
            has ``*``, ``?`` or ``[``; a regular expression to search for after ``re:``.
        text: Text that stands anywhere: path, body, answer, output, traceback.
        where: Any predicate.
        last: Only so many, the newest.
    """

    since: int | datetime = 0
    until: int | datetime | None = None
    kind: RecordKind | str | None = None
    operation: str | None = None
    method: str | None = None
    path: str | None = None
    sandbox_id: str | None = None
    status: int | None = None
    metadata: Mapping[str, str] | None = None
    command: str | None = None
    text: str | None = None
    where: Callable[[JournalRecord], object] | None = None
    last: int | None = None

    @classmethod
    def of(cls, conditions: Mapping[str, Any]) -> Query:
        """The query with these conditions.

        Raises:
            UsageError: One does not exist, or has a value that nothing can match.
        """
        known = [each.name for each in fields(cls)]
        for name in conditions:
            if name not in known:
                raise UsageError(
                    f"records are not found by {name!r}; conditions are: {', '.join(known)}"
                    f"{nearest(name, known)}"
                )
        return cls(**conditions)

    def __post_init__(self) -> None:
        if self.kind is not None:
            kinds = [kind.value for kind in RecordKind]
            if self.kind not in kinds:
                raise UsageError(
                    f"there is no kind {self.kind!r}; kinds are: {', '.join(kinds)}"
                    f"{nearest(str(self.kind), kinds)}"
                )
        for instant in (self.since, self.until):
            if isinstance(instant, datetime) and instant.tzinfo is None:
                raise UsageError(f"{instant} has no time zone: say datetime(…, tzinfo=UTC)")
        if self.command is not None:
            command_test(self.command)


def select(
    records: list[JournalRecord], query: Query, metadata: SandboxMetadata
) -> Sequence[JournalRecord]:
    """Those of `records`, which are in order, that fit.

    Args:
        metadata: Of the sandboxes that the records are about.
    """
    found = _between(records, query.since, query.until)
    if query.operation is not None:
        found = _by_operation(found, query.operation)
    if query.sandbox_id is not None:
        found = [record for record in found if record.sandbox_id == query.sandbox_id]
    if query.kind is not None:
        found = [record for record in found if record.kind == query.kind]
    if query.method is not None:
        found = [record for record in found if record.method == query.method]
    if query.status is not None:
        found = [record for record in found if record.status == query.status]
    if query.path is not None:
        found = [record for record in found if query.path in record.path]
    if query.metadata is not None:
        found = _by_metadata(found, query.metadata, metadata)
    if query.command is not None:
        found = _by_command(found, query.command)
    if query.text is not None:
        text = query.text
        found = [
            record
            for record in found
            if text in record.body
            or text in record.path
            or text in record.answer
            or (record.stream is not None and record.stream.says(text))
            or (record.traceback is not None and text in record.traceback)
        ]
    if query.where is not None:
        found = [record for record in found if query.where(record)]
    return found if query.last is None else found[max(0, len(found) - query.last) :]


def command_test(pattern: str) -> Callable[[str], object]:
    """Whether a command line fits, see `Query.command`.

    Raises:
        UsageError: It is no regular expression.
    """
    if pattern.startswith(_REGEX):
        try:
            return re.compile(pattern[len(_REGEX) :], re.DOTALL).search
        except re.error as error:
            raise UsageError(f"command {pattern!r} is no regular expression: {error}") from error
    if _GLOB.search(pattern):
        return re.compile(fnmatch.translate(pattern)).match
    return lambda command: pattern in command


def _between(
    records: list[JournalRecord], since: int | datetime, until: int | datetime | None
) -> list[JournalRecord]:
    if records and type(since) is int and since > records[0].sequence:
        records = records[since - records[0].sequence :]
    elif isinstance(since, datetime):
        since_ns = from_datetime(since)
        records = [record for record in records if record.at_ns >= since_ns]
    if isinstance(until, datetime):
        until_ns = from_datetime(until)
        return [record for record in records if record.at_ns < until_ns]
    if until is not None and records:
        return records[: max(0, until - records[0].sequence)]
    return records


def _by_operation(records: list[JournalRecord], wanted: str) -> list[JournalRecord]:
    if not _GLOB.search(wanted):
        found = [record for record in records if record.operation == wanted]
        if not found and wanted not in NAMES and (meant := nearest(wanted, NAMES)):
            # A test's own note may have any name, but hardly one that is nearly another.
            raise UsageError(f"there is no operation or event {wanted!r}{meant}")
        return found
    matches = re.compile(fnmatch.translate(wanted)).match
    names = {name for name in {record.operation for record in records} if matches(name)}
    return [record for record in records if record.operation in names]


def _by_metadata(
    records: list[JournalRecord], wanted: Mapping[str, str], metadata: SandboxMetadata
) -> list[JournalRecord]:
    theirs = metadata.having(wanted)
    # What asked for a sandbox and got none is known by its body alone.
    return [
        record
        for record in records
        if record.sandbox_id in theirs
        or (
            record.sandbox_id is None
            and record.operation == "createSandbox"
            and _asks_for(record, wanted)
        )
    ]


def _asks_for(record: JournalRecord, wanted: Mapping[str, str]) -> bool:
    body = record.json
    given = body.get("metadata") if isinstance(body, dict) else None
    return isinstance(given, dict) and wanted.items() <= given.items()


def _by_command(records: list[JournalRecord], pattern: str) -> list[JournalRecord]:
    fits = command_test(pattern)
    # Looking for a word is fifty times cheaper than parsing a body.
    words = [] if pattern.startswith((_REGEX, "[")) else _PLAIN.findall(_GLOB.split(pattern)[0])
    word = max(words, key=len, default="")
    candidates = [
        record for record in records if record.operation in _RUNNING and word in record.body
    ]
    return [record for record in candidates if (line := record.command) is not None and fits(line)]
