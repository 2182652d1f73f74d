"""What a failed test's report says about its requests, and a test's end about its sandboxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fake_e2b.testing import FakeE2B, JournalRecord

_SHOWN = 20
_WIDTH = 200
_REFUSED = 400
_COMES_WITH_REQUESTS = frozenset(
    {"created", "resumed", "paused", "killed", "updated", "forked", "snapshotted"}
    | {"processStarted", "processEnded"}
)


class Watched:
    """One test's stretch of the journal.

    Args:
        fake: Freshly reset; what is recorded from now on is this test's.
    """

    def __init__(self, fake: FakeE2B) -> None:
        self._fake = fake
        self._since = fake.journal.mark()
        self._start_ns = fake.clock.now_ns()
        self._kept: str | None = None

    def left_running(self) -> Sequence[str]:
        """IDs of the sandboxes that the test started and that run still."""
        from fake_e2b.testing import running_sandboxes  # see settings.options_of_marker

        return running_sandboxes(self._fake)

    def close(self) -> None:
        """Keep what there is to show: the journal goes on with the next test."""
        self._kept = self.shown()

    def shown(self) -> str:
        """The last requests, one paragraph each, as a person reads them."""
        if self._kept is not None:
            return self._kept
        records = self._fake.journal.records(since=self._since, where=_worth_showing)
        lines = []
        if len(records) > _SHOWN:
            lines.append(f"({len(records) - _SHOWN} earlier ones left out)")
        for record in records[-_SHOWN:]:
            lines += self._paragraph(record)
        return "\n".join(lines) or "(none: no request of this test reached the fake)"

    def _paragraph(self, record: JournalRecord) -> Iterator[str]:
        after_s = (record.at_ns - self._start_ns) / 1e9
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


WATCHED = pytest.StashKey[Watched]()


def leak_message(sandboxes: Sequence[str]) -> str:
    """The sentence about sandboxes that a test left running."""
    count = "a sandbox" if len(sandboxes) == 1 else f"{len(sandboxes)} sandboxes"
    return (
        f"the test left {count} running: {', '.join(sandboxes)}. Kill what it creates, take the "
        "fixture e2b_sandbox, or allow it with --fake-e2b-leaks=ignore or "
        "@pytest.mark.fake_e2b(leaks='ignore')"
    )


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
