"""Records of the journal as JSON: in the API's own style, camelCase and RFC 3339."""

from __future__ import annotations

import json
from typing import Any

from fake_e2b.domain.journal import JournalRecord, StreamSummary
from fake_e2b.wire.timestamps import format_instant

_NS_PER_MS = 1_000_000


def record_json(record: JournalRecord, *, details: bool = False) -> dict[str, Any]:
    """A record.

    Args:
        details: Add what takes time to make: the request as a curl command and as a call of the
            Python SDK, both None for what is no request.
    """
    shown: dict[str, Any] = {
        "sequence": record.sequence,
        "at": format_instant(record.at_ns),
        "realAt": format_instant(record.real_ns),
        "kind": record.kind.value,
        "operation": record.operation,
        "method": record.method,
        "path": record.path,
        "sandboxID": record.sandbox_id,
        "status": record.status,
        "durationMs": None if record.duration_ns is None else record.duration_ns / _NS_PER_MS,
        "client": record.client,
        "headers": [list(header) for header in record.headers],
        "body": record.body,
        "received": record.received,
        "sent": record.sent,
        "answer": record.answer,
        "command": record.command,
        "stream": None if record.stream is None else _stream_json(record.stream),
        "traceback": record.traceback,
    }
    if details:
        shown["curl"] = record.as_curl() if record.method else None
        shown["sdkCall"] = record.as_sdk_call() if record.method else None
    return shown


def record_line(record: JournalRecord, *, details: bool = False) -> str:
    """A record as one line, with its end."""
    shown = record_json(record, details=details)
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")) + "\n"


def dropped_line(count: int) -> str:
    """A line in place of records that a reader was too slow for."""
    return json.dumps({"kind": "dropped", "count": count}) + "\n"


def _stream_json(stream: StreamSummary) -> dict[str, Any]:
    return {
        "frames": dict(stream.frames),
        "received": stream.received and dict(stream.received),
        "size": stream.size,
        "exitCode": stream.exit_code,
        "error": stream.error,
        "outputs": dict(stream.outputs()),
    }
