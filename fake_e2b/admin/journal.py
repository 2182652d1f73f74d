"""`/_fake/journal`: what was asked of the fake and what happened in it, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from fake_e2b.admin.journal_following import follow
from fake_e2b.admin.parts import AdminParts
from fake_e2b.admin.query import flag, parameters, whole_number
from fake_e2b.backend.journal_query import Query
from fake_e2b.domain.errors import UsageError
from fake_e2b.wire.journal import record_json, record_line

FILTERS = {
    "since": "first sequence number (`next` of an earlier answer), or an instant of the fake's "
    "clock such as 2026-11-27T10:00:00Z",
    "until": "sequence number or instant to stop before",
    "kind": "request, state, process, fault or stub",
    "operation": "operation or event, e.g. createSandbox or processEnded, or a pattern: Process.*",
    "method": "HTTP method",
    "path": "text that the path contains",
    "sandbox": "sandbox ID",
    "status": "HTTP status",
    "metadata": "pairs that the sandbox's metadata hold: name=value&name=value, encoded",
    "command": "text in the command line or code; a pattern; after re: a regular expression",
    "text": "text that stands anywhere in path, body, answer, output or traceback",
    "last": "only so many, the newest",
}
"""The query's parameters and what each asks for; all given must hold."""
FORMS = {
    "details": "true adds each request as a curl command and as a call of the Python SDK",
    "format": "json, or jsonl: one record a line",
    "follow": "true, with format=jsonl: go on with what comes, until the client leaves",
}
"""The parameters that say how the answer looks."""
JSON_LINES = "application/x-ndjson"
_NUMBERS = ("status", "last")
_TEXTS = ("kind", "operation", "path", "command", "text")


async def journal(parts: AdminParts, request: Request) -> Response:
    """The records that pass every filter, in order; `next` is where to go on from."""
    given = parameters(request, {**FILTERS, **FORMS})
    details, following = flag(given, "details"), flag(given, "follow")
    if given.get("format", "json") not in ("json", "jsonl"):
        raise UsageError(f"parameter 'format' must be json or jsonl, not '{given['format']}'")
    lines = given.get("format") == "jsonl"
    if following and not lines:
        raise UsageError("parameter 'follow' goes with format=jsonl")
    query = _query(given)
    if following:
        return StreamingResponse(
            follow(parts.journal, query, details=details), media_type=JSON_LINES
        )
    next_one = parts.journal.mark()
    records = parts.journal.records(query)
    if lines:
        text = "".join(record_line(record, details=details) for record in records)
        return Response(text, media_type=JSON_LINES)
    return JSONResponse(
        {
            "records": [record_json(record, details=details) for record in records],
            "oldest": parts.journal.oldest,
            "next": next_one,
        }
    )


def _query(given: dict[str, str]) -> Query:
    conditions: dict[str, Any] = {name: given[name] for name in _TEXTS if name in given}
    conditions |= {name: whole_number(name, given[name]) for name in _NUMBERS if name in given}
    for name in ("since", "until"):
        if name in given:
            conditions[name] = _place(name, given[name])
    if "method" in given:
        conditions["method"] = given["method"].upper()
    if "sandbox" in given:
        conditions["sandbox_id"] = given["sandbox"]
    if "metadata" in given:
        conditions["metadata"] = _pairs(given["metadata"])
    return Query(**conditions)


def _place(name: str, text: str) -> int | datetime:
    if not (len(text) > 4 and text[4:5] == "-"):
        return whole_number(name, text)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise UsageError(
            f"parameter '{name}' must be a whole number or an instant such as "
            f"2026-11-27T10:00:00Z, not '{text}'"
        )
    return instant


def _pairs(text: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True))
    except ValueError:
        raise UsageError(
            f"parameter 'metadata' must be name=value pairs joined by &, not '{text}'"
        ) from None
