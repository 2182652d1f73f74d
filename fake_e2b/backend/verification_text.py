"""What a failed verification says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fake_e2b.backend.journal_fields import Difference
from fake_e2b.domain.journal import JournalRecord, RecordKind

_LISTED = 10
_WIDTH = 160


def counted(wanted: str, at_least: int, at_most: int | None, found: Sequence[JournalRecord]) -> str:
    """What was expected how often, and what of it was found."""
    if at_most == at_least:
        expected = "no" if at_least == 0 else f"exactly {at_least}"
    elif at_most is None:
        expected = f"at least {at_least}"
    else:
        expected = f"{at_least} to {at_most}" if at_least else f"at most {at_most}"
    text = f"expected {expected} × {wanted}; found {len(found)}"
    if not found:
        return text
    return text + ":\n" + listed(found)


def out_of_order(
    steps: Sequence[str], found: Sequence[JournalRecord], before: Sequence[JournalRecord]
) -> str:
    """Which steps were found, and which was not."""
    lines = ["expected in this order:"]
    for number, step in enumerate(steps):
        if number < len(found):
            lines.append(f"  {number + 1}. {step}: {line(found[number])}")
        elif number > len(found):
            lines.append(f"  {number + 1}. {step}")
        elif before:
            lines.append(f"  {number + 1}. {step}: not after that, but before: {line(before[-1])}")
        else:
            lines.append(f"  {number + 1}. {step}: not found{' after that' if found else ''}")
    return "\n".join(lines)


def missed(
    records: Sequence[JournalRecord],
    candidates: Sequence[JournalRecord],
    nearest: JournalRecord | None,
    differences: Sequence[Difference],
) -> str:
    """The record that came nearest and its differences, or what there was at all."""
    if nearest is None:
        return "\n" + asked(records)
    names = {record.operation for record in candidates}
    text = f"\nnearest of {len(candidates)} × {' and '.join(sorted(names))}: {line(nearest)}\n"
    rows = [("field", "wanted", "got")]
    rows += [(each.field, _cut(each.wanted), _cut(each.got_text)) for each in differences]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return text + "\n".join(
        f"    {field:<{widths[0]}}  {wanted:<{widths[1]}}  {got}" for field, wanted, got in rows
    )


def asked(records: Sequence[JournalRecord]) -> str:
    """How often what was asked and what happened."""
    if not records:
        return "nothing was asked of the fake"
    parts = []
    for title, requests in (("asked", True), ("happened", False)):
        counts = Counter(
            record.operation
            for record in records
            if (record.kind is RecordKind.REQUEST) is requests
        )
        if counts:
            shown = ", ".join(f"{number} × {name}" for name, number in counts.most_common(20))
            parts.append(f"{title}: {shown}")
    return "\n".join(parts)


def listed(records: Sequence[JournalRecord]) -> str:
    """Records, a line each."""
    lines = [f"    {line(record)}" for record in records[:_LISTED]]
    if len(records) > _LISTED:
        lines.append(f"    … and {len(records) - _LISTED} more")
    return "\n".join(lines)


def line(record: JournalRecord) -> str:
    """A record in a line."""
    words = [f"#{record.sequence}", record.operation]
    if record.method:
        status = "no answer yet" if record.status is None else str(record.status)
        words.append(f"{record.method} {record.path} → {status}")
    if record.sandbox_id is not None and record.sandbox_id not in record.path:
        words.append(f"[{record.sandbox_id}]")
    command = record.command
    if command is not None:
        words.append(repr(command))
    elif not record.method and record.body:
        words.append(record.body)
    return _cut(" ".join(words))


def _cut(text: str) -> str:
    one_line = text.replace("\n", "\\n")
    return one_line if len(one_line) <= _WIDTH else one_line[: _WIDTH - 1] + "…"
