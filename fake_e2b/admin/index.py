"""The page for people at `/_fake/`: what runs, what was asked, where else to look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from fake_e2b._version import __version__
from fake_e2b.admin.parts import AdminParts
from fake_e2b.admin.state import clock_shown
from fake_e2b.domain.journal import JournalRecord
from fake_e2b.domain.sandbox import Sandbox
from fake_e2b.wire.timestamps import format_instant

_LAST_REQUESTS = 50
_LINKS = {
    "state": "what exists, as JSON",
    "journal": "every request, as JSON; filters are query parameters",
    "faults": "the rules in force, as JSON",
    "profiles": "named sets of rules, as JSON",
    "gates": "what is held, as JSON",
    "stubs": "programs in sandboxes whose answers were given in advance, as JSON",
    "seed": "what is in it, as a file that fills another",
    "clock": "what time it is for the fake",
    "env": "the variables that a client needs",
    "credentials": "keys and tokens of teams, users and administrators",
    "openapi.json": "what it serves, as an OpenAPI document",
    "health": "that it answers",
}
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid #8884; padding: .3rem .6rem; text-align: left }
th { font-weight: 600 } td { font-family: ui-monospace, monospace; font-size: 13px }
:root { color-scheme: light dark }
"""


async def index(parts: AdminParts, request: Request) -> Response:
    """An HTML page without scripts; reload it to see what changed."""
    clock = clock_shown(parts)
    facts = (
        f"version {__version__}, runtime {parts.runtime.name}, seed {parts.seed}, "
        f"clock {clock['mode']} at {clock['now']}"
    )
    requests = list(reversed(parts.journal.records(last=_LAST_REQUESTS)))
    links = "".join(
        f'<li><a href="/_fake/{name}">/_fake/{name}</a>: {escape(text)}</li>'
        for name, text in _LINKS.items()
    )
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>fake-e2b</title>'
        f"<style>{_STYLE}</style></head><body><h1>fake-e2b</h1><p>{escape(facts)}</p>"
        f"<h2>Sandboxes</h2>{_sandboxes(parts.sandboxes())}"
        f"<h2>Last requests</h2>{_requests(requests)}"
        f"<h2>Pages</h2><ul>{links}</ul></body></html>"
    )
    return HTMLResponse(page)


def _sandboxes(sandboxes: Iterable[Sandbox]) -> str:
    rows = [
        (
            sandbox.sandbox_id,
            sandbox.alias or sandbox.template_id,
            sandbox.state.value,
            format_instant(sandbox.end_at_ns),
        )
        for sandbox in sandboxes
    ]
    return _table(("sandbox", "template", "state", "ends"), rows)


def _requests(records: Sequence[JournalRecord]) -> str:
    rows = [
        (
            format_instant(record.at_ns),
            record.operation,
            f"{record.method} {record.path}",
            _status(record),
            "" if record.duration_ns is None else f"{record.duration_ns / 1e6:.1f} ms",
            record.sandbox_id or "",
        )
        for record in records
    ]
    return _table(("at", "operation", "request", "status", "took", "sandbox"), rows)


def _status(record: JournalRecord) -> str:
    if record.status is not None:
        return str(record.status)
    return "open" if record.duration_ns is None else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "<p>none</p>"
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><tr>{titles}</tr>{body}</table>"
