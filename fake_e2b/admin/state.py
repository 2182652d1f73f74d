"""`/_fake/health`, `/_fake/state`, `/_fake/env`, `/_fake/credentials` and `/_fake/reset`."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fake_e2b._version import __version__
from fake_e2b.admin.parts import AdminParts
from fake_e2b.domain.due import Deadline, Happening
from fake_e2b.domain.sandbox import Sandbox
from fake_e2b.wire.timestamps import format_instant


async def health(parts: AdminParts, request: Request) -> Response:
    """That the server answers, and which one it is."""
    return JSONResponse({"status": "ok", "version": __version__})


async def state(parts: AdminParts, request: Request) -> Response:
    """Everything a test may want to look at; no secrets."""
    return JSONResponse(
        {
            "version": __version__,
            "seed": parts.seed,
            "runtime": {
                "name": parts.runtime.name,
                "capabilities": sorted(
                    capability.name.lower() for capability in parts.runtime.capabilities
                ),
            },
            "clock": clock_shown(parts),
            "sandboxes": [_sandbox_shown(sandbox) for sandbox in parts.sandboxes()],
            "journal": {
                "next": parts.journal.mark(),
                "oldest": parts.journal.oldest,
                "capacity": parts.journal.capacity,
            },
        }
    )


async def env(parts: AdminParts, request: Request) -> Response:
    """The variables that a client of this server needs."""
    return JSONResponse(dict(parts.env()))


async def credentials(parts: AdminParts, request: Request) -> Response:
    """Who can ask for what: keys and tokens of teams, users and administrators."""
    return JSONResponse(dict(parts.credentials()))


async def reset(parts: AdminParts, request: Request) -> Response:
    """Kill every sandbox and forget everything; answers once it is done."""
    await parts.reset()
    return JSONResponse({"next": parts.journal.mark()})


def clock_shown(parts: AdminParts) -> dict[str, Any]:
    """The clock as `/_fake/state` and `/_fake/clock` show it."""
    due = parts.next_deadline()
    return {
        "mode": "frozen" if parts.clock.frozen else "following",
        "now": format_instant(parts.clock.now_ns()),
        "nextDeadline": None
        if due is None
        else {
            "at": format_instant(due.at_ns),
            "action": due.action,
            "sandboxID": due.sandbox_id,
            **webhook_shown(due),
        },
    }


def webhook_shown(each: Deadline | Happening) -> dict[str, str]:
    """To which webhook an event goes, or went, once more."""
    return {} if each.webhook_id is None else {"webhookID": each.webhook_id}


def _sandbox_shown(sandbox: Sandbox) -> dict[str, Any]:
    return {
        "sandboxID": sandbox.sandbox_id,
        "templateID": sandbox.template_id,
        "alias": sandbox.alias,
        "teamID": sandbox.team_id,
        "state": sandbox.state.value,
        "startedAt": format_instant(sandbox.started_at_ns),
        "endAt": format_instant(sandbox.end_at_ns),
        "onTimeout": sandbox.on_timeout.value,
        "autoResume": sandbox.auto_resume,
        "metadata": sandbox.metadata or {},
    }
