"""`/_fake/clock` and what moves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fake_e2b.admin.parts import AdminParts, Page
from fake_e2b.admin.query import json_object
from fake_e2b.admin.state import clock_shown, webhook_shown
from fake_e2b.domain.clock import duration_ns
from fake_e2b.domain.due import Happening
from fake_e2b.domain.errors import UsageError
from fake_e2b.wire.timestamps import format_instant, parse_instant

ADVANCE_FORM = '{"seconds": 60}'
SET_FORM = '{"to": "2030-01-01T00:00:00Z"}'


async def clock(parts: AdminParts, request: Request) -> Response:
    """What time it is for the fake, and what becomes due next."""
    return JSONResponse(clock_shown(parts))


async def advance(parts: AdminParts, request: Request) -> Response:
    """Move the clock; answers when everything that became due has happened.

    Raises:
        UsageError: The body is not of the right form.
    """
    body = await json_object(request, ADVANCE_FORM)
    seconds = _only(body, "seconds", ADVANCE_FORM)
    return _moved(parts, await parts.timekeeper.advance(duration_ns(seconds, ADVANCE_FORM)))


async def set_clock(parts: AdminParts, request: Request) -> Response:
    """Move the clock to an instant; else as `advance`.

    Raises:
        UsageError: The body is not of the right form, or the instant lies before the present.
    """
    body = await json_object(request, SET_FORM)
    text = _only(body, "to", SET_FORM)
    to_ns = parse_instant(text) if isinstance(text, str) else None
    if to_ns is None:
        raise UsageError(f"{text!r} is no date, time and time zone; send {SET_FORM}")
    return _moved(parts, await parts.timekeeper.set(to_ns))


async def freeze(parts: AdminParts, request: Request) -> Response:
    """Let the clock stand still."""
    await parts.timekeeper.freeze()
    return JSONResponse(clock_shown(parts))


async def follow(parts: AdminParts, request: Request) -> Response:
    """Let the clock go on from where it stands."""
    await parts.timekeeper.follow()
    return JSONResponse(clock_shown(parts))


def _only(body: dict[str, Any], name: str, form: str) -> Any:
    if set(body) != {name}:
        raise UsageError(f"send {form}: {name} and nothing else")
    return body[name]


def _moved(parts: AdminParts, happened: Sequence[Happening]) -> Response:
    shown = [
        {
            "at": format_instant(each.at_ns),
            "outcome": each.outcome,
            "sandboxID": each.sandbox_id,
            **webhook_shown(each),
        }
        for each in happened
    ]
    return JSONResponse({**clock_shown(parts), "happened": shown})


CLOCK_PAGES: Mapping[str, Mapping[str, Page]] = {
    "/_fake/clock": {"GET": clock},
    "/_fake/clock/advance": {"POST": advance},
    "/_fake/clock/set": {"POST": set_clock},
    "/_fake/clock/freeze": {"POST": freeze},
    "/_fake/clock/follow": {"POST": follow},
}
