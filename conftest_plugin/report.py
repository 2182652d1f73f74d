"""What a failed test's report says about its requests, and how to replay it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from conftest_plugin.watched import Watched

if TYPE_CHECKING:
    import pytest

    from fake_e2b.testing import JournalRecord

REQUESTS = "fake-e2b: last requests"
REPLAY = "fake-e2b: replay"
_SHOWN = 20
_WIDTH = 200
_REFUSED = 400
_COMES_WITH_REQUESTS = frozenset(
    {"created", "resumed", "paused", "killed", "updated", "forked", "snapshotted"}
    | {"processStarted", "processEnded"}
)


def sections(watched: Watched, report: pytest.TestReport) -> Sequence[tuple[str, str]]:
    """Titles and texts."""
    kept = watched.kept
    if kept is None:
        kept = requests_shown(watched), "\n".join(_replay(watched))
    return [(REQUESTS, kept[0]), (REPLAY, kept[1])]


def keep(watched: Watched) -> None:
    """Keep what there is to show: the fake goes on with the next test."""
    watched.kept = requests_shown(watched), "\n".join(_replay(watched))


def requests_shown(watched: Watched) -> str:
    """The last requests, one paragraph each; older ones too where the fake failed."""
    records = watched.fake.journal.records(since=watched.since, where=_worth_showing)
    last = records[-_SHOWN:]
    shown = [record for record in records[:-_SHOWN] if record.traceback]
    lines = []
    if len(records) > len(shown) + len(last):
        lines.append(f"({len(records) - len(shown) - len(last)} earlier ones left out)")
    for record in [*shown, *last]:
        lines += _paragraph(record, watched.start_ns)
    return "\n".join(lines) or "(none: no request of this test reached the fake)"


def _paragraph(record: JournalRecord, start_ns: int) -> Iterator[str]:
    after_s = (record.at_ns - start_ns) / 1e9
    sandbox = f" [{record.sandbox_id}]" if record.sandbox_id else ""
    if record.method:
        name = _cut(f"{record.operation} {record.method} {record.path}")
        yield f"+{after_s:.3f} s {name} → {_outcome(record)}{sandbox}"
    else:
        yield f"+{after_s:.3f} s {record.operation}{sandbox}"
    if record.body:
        yield f"    {'sent: ' if record.method else ''}{_cut(record.body)}"
    if record.answer and (record.status or 0) >= _REFUSED:
        yield f"    answer: {_cut(record.answer)}"
    if record.traceback:
        yield from (f"    {line}" for line in record.traceback.splitlines())


def _replay(watched: Watched) -> Iterator[str]:
    fake = watched.fake
    yield f"--fake-e2b-seed {fake.seed} replays identifiers and dice"
    for fault in fake.faults.list():
        yield f"fault {fault.name!r}: acted {_times(fault.hits)}, fitted {_times(fault.seen)}"
    for gate in fake.gates.list():
        yield f"gate {gate.name!r}: {_times(len(gate.requests))} a request came to it"


def _times(number: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(number, f"{number} times")


def _worth_showing(record: JournalRecord) -> bool:
    """Whether it says more than the requests do."""
    return record.operation not in _COMES_WITH_REQUESTS


def _outcome(record: JournalRecord) -> str:
    status = "no answer yet" if record.status is None else str(record.status)
    if record.duration_ns is None:
        return f"{status}, still open"
    return f"{status}, {record.duration_ns / 1e6:.1f} ms"


def _cut(text: str) -> str:
    one_line = text.replace("\n", "\\n")
    return one_line if len(one_line) <= _WIDTH else one_line[: _WIDTH - 1] + "…"
