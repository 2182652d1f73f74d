"""The journal of a story, so that two runs with one seed read the same.

Masked, for nothing in a story decides them: instants; process IDs, which the machine gives out;
signatures and the end of a signed URL, and the tokens of a list's pages, which hold instants; the
server's port. Left out for the same reason: durations, the client's port, headers and bytes, which
differ between releases of an SDK and with how output happens to be cut. Sandbox IDs stay: they come
from the seed.

Requests are told in their order, and what happened in the fake in its own: a client that waits for
nothing more may ask on before, or after, what it caused has been written down.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from fake_e2b.scenario.story import Table

_REFUSED = 400
MASKS: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile(r'(pid"?:?\s*)\d+'), r"\1<pid>"),
    (re.compile(r"(nextToken=)[^&\s]+"), r"\1<token>"),
    (re.compile(r"(127\.0\.0\.1:|\[::1\]:|localhost:)\d+"), r"\1<port>"),
    (re.compile(r"(signature(?:_expiration)?=)[^&\s\"]+"), r"\1<signed>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"), "<instant>"),
)


def told(records: Iterable[Table]) -> list[str]:
    """One line for each record, masked: first the requests, then what happened."""
    in_parts = sorted(records, key=lambda record: bool(record["kind"] != "request"))
    return [_line(record) for record in in_parts]


def _line(record: Table) -> str:
    parts = [record["kind"], record["operation"]]
    if record["kind"] == "request":
        parts += [record["method"], record["path"], str(record["status"])]
    parts += [record["sandboxID"] or "-", record["body"]]
    # Of a success, the step itself shows what was in it.
    if (record["status"] or 0) >= _REFUSED:
        parts.append(record["answer"])
    return masked(" ".join(part for part in parts if part))


def masked(line: str) -> str:
    """The line without what no story decides."""
    for pattern, mask in MASKS:
        line = pattern.sub(mask, line)
    return line
