"""`/_fake/journal`: what was asked of the fake, as JSON."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fake_e2b.admin.parts import AdminParts
from fake_e2b.admin.query import parameters, whole_number
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.journal import JournalRecord, RecordKind
from fake_e2b.wire.timestamps import format_instant

FILTERS = {
    "since": "first sequence number (`next` of an earlier answer)",
    "until": "sequence number to stop before",
    "kind": "request or state",
    "operation": "operation name, e.g. createSandbox or Process.Start",
    "method": "HTTP method",
    "path": "text that the path contains",
    "sandbox": "sandbox ID",
    "status": "HTTP status",
    "last": "only so many, the newest",
}
"""The query's parameters and what each asks for; all given must hold."""
_NUMBERS = ("since", "until", "status", "last")


async def journal(parts: AdminParts, request: Request) -> Response:
    """The records that pass every filter, in order; `next` is where to go on from."""
    given = parameters(request, FILTERS)
    numbers = {name: whole_number(name, given[name]) for name in _NUMBERS if name in given}
    following = parts.journal.mark()
    records = parts.journal.records(
        since=numbers.get("since", 0),
        until=numbers.get("until"),
        kind=_kind(given["kind"]) if "kind" in given else None,
        operation=given.get("operation"),
        method=given["method"].upper() if "method" in given else None,
        path=given.get("path"),
        sandbox_id=given.get("sandbox"),
        status=numbers.get("status"),
        last=numbers.get("last"),
    )
    return JSONResponse(
        {
            "records": [record_shown(record) for record in records],
            "oldest": parts.journal.oldest,
            "next": following,
        }
    )


def record_shown(record: JournalRecord) -> dict[str, Any]:
    """A record in the API's own style: camelCase, RFC 3339, milliseconds."""
    return {
        "sequence": record.sequence,
        "at": format_instant(record.at_ns),
        "realAt": format_instant(record.real_ns),
        "kind": record.kind.value,
        "operation": record.operation,
        "method": record.method,
        "path": record.path,
        "sandboxID": record.sandbox_id,
        "status": record.status,
        "durationMs": None if record.duration_ns is None else record.duration_ns / 1e6,
        "client": record.client,
        "headers": [list(header) for header in record.headers],
        "body": record.body,
        "received": record.received,
        "sent": record.sent,
        "answer": record.answer,
        "traceback": record.traceback,
    }


def _kind(text: str) -> RecordKind:
    try:
        return RecordKind(text)
    except ValueError:
        kinds = " or ".join(kind.value for kind in RecordKind)
        raise UsageError(f"parameter 'kind' must be {kinds}, not '{text}'") from None
