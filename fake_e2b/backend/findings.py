"""Decides, from the journal and what exists still, what a test left behind or did wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from fake_e2b.domain.clock import SECOND_NS
from fake_e2b.domain.finding import Finding, FindingKind
from fake_e2b.domain.ids import SandboxID
from fake_e2b.domain.journal import JournalRecord, RecordKind
from fake_e2b.domain.operations import UNKNOWN

_STREAMS = frozenset({"Process.Start", "Process.Connect", "Filesystem.WatchDir", "execute", "port"})
_RUNS = frozenset({"Process.Start", "Process.Connect", "execute"})
_ASKING = frozenset(
    {"envd.health", "interpreter.health", "killSandbox", "getSandbox", "connectSandbox"}
    | {"getSandboxLogs", "getSandboxMetrics"}
)
"""Whoever asks these may well ask them of a sandbox that is gone: connect, else create anew."""
_NO_SUCH_ROUTE = (404, 405)
_NOT_BUILT = 501
_STATUS = "status"
"""The effect that answers in place of the service."""
_REFUSED = 400
_DEADLINE = "connect-timeout-ms"
_MS = 1_000_000
_CUT_EARLIER_NS = 20 * _MS
"""Clients end a call at its deadline by their own clock, which began before the request came."""

Records = Sequence[JournalRecord]


def leaks(
    records: Records, running: Sequence[SandboxID], watchers: Mapping[SandboxID, int]
) -> Iterator[Finding]:
    """What is left behind.

    Args:
        running: IDs of the sandboxes that run, oldest first.
        watchers: How many watchers collect events in each of them.

    Fact: fake.leaks.kinds
    """
    made = _by_sandbox(records, "createSandbox")
    for sandbox_id in running:
        text = f"left a sandbox running: {sandbox_id}"
        yield Finding(FindingKind.SANDBOX, text, sandbox_id, _numbers(made.get(sandbox_id)))
    alive = frozenset(running)
    for record in records:
        if (
            record.operation in _STREAMS
            and record.duration_ns is None
            and record.sandbox_id in alive
        ):
            text = f"left {_named(record)} open in {record.sandbox_id}"
            yield Finding(FindingKind.STREAM, text, record.sandbox_id, (record.sequence,))
    made = _by_sandbox(records, "Filesystem.CreateWatcher") if watchers else {}
    for sandbox_id, count in watchers.items():
        how_many = "a watcher" if count == 1 else f"{count} watchers"
        text = f"left {how_many} collecting in {sandbox_id}"
        yield Finding(FindingKind.WATCHER, text, sandbox_id, _numbers(made.get(sandbox_id)))


def misuse(records: Records) -> Iterator[Finding]:
    """What was asked for and should not have been; what a fault rule brought about is none.

    Facts: fake.misuse.*
    """
    effects = _effects(records)
    yield from _killed_sandboxes([each for each in records if _STATUS not in effects(each)])
    yield from _short_timeouts([each for each in records if not effects(each)])
    yield from _unknown([each for each in records if _STATUS not in effects(each)])
    yield from _failures(records)


def _effects(records: Records) -> Callable[[JournalRecord], frozenset[str]]:
    """Tells which effects of rules acted on a request."""
    found: dict[int, frozenset[str]] = {}
    for record in records:
        if record.kind is RecordKind.FAULT and isinstance(hit := record.json, dict):
            number = hit.get("request", -1)
            found[number] = found.get(number, frozenset()) | {str(hit.get("effect"))}
    return lambda record: found.get(record.sequence, frozenset())


def _killed_sandboxes(records: Records) -> Iterator[Finding]:
    """Requests into a sandbox that a client had killed, not one whose time was up."""
    killed: dict[str, int] = {}
    for record in _requests(records, lambda each: each.operation == "killSandbox"):
        if record.status == 204 and record.sandbox_id and record.duration_ns is not None:
            killed.setdefault(record.sandbox_id, record.real_ns + record.duration_ns)
    for record in _requests(records, lambda each: each.operation not in _ASKING):
        gone_ns = killed.get(record.sandbox_id or "")
        if gone_ns is not None and record.real_ns > gone_ns and (record.status or 0) >= _REFUSED:
            text = f"used a sandbox after killing it: {_named(record)} in {record.sandbox_id}"
            yield Finding(FindingKind.KILLED_SANDBOX, text, record.sandbox_id, (record.sequence,))


def _short_timeouts(records: Records) -> Iterator[Finding]:
    """Commands and code that a timeout cut while real time passed; a moved clock is a test's own.

    How long client and service wait for code (`execute`) is never said in the request.
    """
    ends = _by_sandbox(records, "expired")
    for record in _requests(records, lambda each: each.operation in _RUNS):
        if any(_cut_by(end, record) for end in ends.get(record.sandbox_id, ())):
            text = f"the time of sandbox {record.sandbox_id} was up while {_named(record)} ran"
            yield Finding(FindingKind.SHORT_TIMEOUT, text, record.sandbox_id, (record.sequence,))
        else:
            deadline_ms = _deadline_ms(record)
            if deadline_ms and _lasted(record, deadline_ms):
                text = f"{_named(record)} was cut by its own timeout of {deadline_ms / 1000:g} s"
                yield Finding(
                    FindingKind.SHORT_TIMEOUT, text, record.sandbox_id, (record.sequence,)
                )


def _cut_by(end: JournalRecord, record: JournalRecord) -> bool:
    if record.real_ns > end.real_ns:
        return False
    if record.duration_ns is not None and record.real_ns + record.duration_ns < end.real_ns:
        return False
    moved_ns = (end.at_ns - record.at_ns) - (end.real_ns - record.real_ns)
    return abs(moved_ns) < SECOND_NS


def _deadline_ms(record: JournalRecord) -> int:
    value = next((value for name, value in record.headers if name == _DEADLINE), "")
    return int(value) if value.isascii() and value.isdigit() else 0


def _lasted(record: JournalRecord, deadline_ms: int) -> bool:
    if record.duration_ns is None or (record.stream is not None and "end" in record.stream.frames):
        return False
    return record.duration_ns >= deadline_ms * _MS - _CUT_EARLIER_NS


def _unknown(records: Records) -> Iterator[Finding]:
    for record in _requests(records, lambda each: each.operation != "port"):
        what = f"{record.method} {record.path.partition('?')[0]}"
        if record.operation == UNKNOWN and record.status in _NO_SUCH_ROUTE:
            text = f"asked for what the API does not have: {what}"
            yield Finding(
                FindingKind.UNKNOWN_OPERATION, text, record.sandbox_id, (record.sequence,)
            )
        elif record.status == _NOT_BUILT and record.answer:
            text = f"asked for what the fake does not do yet: {record.operation} ({what})"
            yield Finding(FindingKind.GAP, text, record.sandbox_id, (record.sequence,))


def _failures(records: Records) -> Iterator[Finding]:
    for record in records:
        if record.traceback:
            lines = record.traceback.rstrip().splitlines()
            yield Finding(
                FindingKind.FAILURE,
                f"{_named(record)} failed in the fake, or in what the test gave it: {lines[-1]}",
                record.sandbox_id,
                (record.sequence,) if record.kind is RecordKind.REQUEST else (),
                lines,
            )


def _by_sandbox(records: Records, operation: str) -> dict[str | None, list[JournalRecord]]:
    found: dict[str | None, list[JournalRecord]] = {}
    for record in records:
        if record.operation == operation:
            found.setdefault(record.sandbox_id, []).append(record)
    return found


def _numbers(records: Iterable[JournalRecord] | None) -> Sequence[int]:
    return [record.sequence for record in records or ()]


def _requests(records: Records, wanted: Callable[[JournalRecord], bool]) -> Iterator[JournalRecord]:
    return (each for each in records if each.kind is RecordKind.REQUEST and wanted(each))


def _named(record: JournalRecord) -> str:
    """``Process.Start``; with the command line where the journal knows it."""
    return f"{record.operation} {record.command!r}" if record.command else record.operation
