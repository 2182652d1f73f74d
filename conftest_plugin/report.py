"""What a failed test's report says about its requests, and how to replay it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from conftest_plugin.snapshot import Snapshot

if TYPE_CHECKING:
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


def sections(snapshot: Snapshot) -> Sequence[tuple[str, str]]:
    """Titles and texts."""
    return [(REQUESTS, _requests(snapshot)), (REPLAY, "\n".join(_replay(snapshot)))]


def _requests(snapshot: Snapshot) -> str:
    """The last requests, one paragraph each; older ones too where the fake failed."""
    records = [each for each in snapshot.records if each.operation not in _COMES_WITH_REQUESTS]
    last = records[-_SHOWN:]
    shown = [record for record in records[:-_SHOWN] if record.traceback]
    lines = []
    if len(records) > len(shown) + len(last):
        lines.append(f"({len(records) - len(shown) - len(last)} earlier ones left out)")
    for record in [*shown, *last]:
        lines += _paragraph(record, snapshot.start_ns)
    return "\n".join(lines) or "(none: no request of this test reached the fake)"


def _paragraph(record: JournalRecord, start_ns: int) -> Iterator[str]:
    after_s = (record.at_ns - start_ns) / 1e9
    sandbox = f" [{record.sandbox_id}]" if record.sandbox_id else ""
    if record.method:
        name = _cut(f"{record.operation} {record.method} {record.path}")
        yield f"+{after_s:.3f} s {name} → {outcome(record)}{sandbox}"
    else:
        yield f"+{after_s:.3f} s {record.operation}{sandbox}"
    if record.body:
        yield f"    {'sent: ' if record.method else ''}{_cut(record.body)}"
    if record.answer and (record.status or 0) >= _REFUSED:
        yield f"    answer: {_cut(record.answer)}"
    if record.traceback:
        yield from (f"    {line}" for line in record.traceback.splitlines())


def _replay(snapshot: Snapshot) -> Iterator[str]:
    yield f"--fake-e2b-seed {snapshot.seed} replays identifiers and dice"
    for name, _, _, acted, fitted in snapshot.rules:
        yield f"fault {name!r}: acted {acted}, fitted {fitted}"
    for name, came, _, _ in snapshot.gates:
        yield f"gate {name!r}: requests that came to it: {came}"


def outcome(record: JournalRecord) -> str:
    """``"201, 1.4 ms"``"""
    status = "no answer yet" if record.status is None else str(record.status)
    if record.duration_ns is None:
        return f"{status}, still open"
    return f"{status}, {record.duration_ns / 1e6:.1f} ms"


def _cut(text: str) -> str:
    one_line = text.replace("\n", "\\n")
    return one_line if len(one_line) <= _WIDTH else one_line[: _WIDTH - 1] + "…"
