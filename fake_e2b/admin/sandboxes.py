"""`/_fake/sandboxes/{sandboxID}`: what can be done to one sandbox that nobody asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fake_e2b.admin.parts import AdminParts, Page
from fake_e2b.admin.query import json_object
from fake_e2b.domain.forms import about, read
from fake_e2b.domain.ports import Program
from fake_e2b.domain.steering.sandbox_effects import ProcessKilled

_HOLDER = "page"
"""Who fills a disk."""


@dataclass(frozen=True)
class Skew:
    """How wrong a clock is."""

    seconds: float = field(metadata=about("how far ahead; negative: behind; 0 puts it right"))


async def programs(parts: AdminParts, request: Request) -> Response:
    """What runs in the sandbox."""
    return _shown(await parts.misfortunes.programs(_id(request)))


async def die(parts: AdminParts, request: Request) -> Response:
    """End the sandbox, running or paused."""
    parts.misfortunes.check_known(_id(request))
    await parts.misfortunes.die(_id(request))
    return _done(parts, request, "die")


async def kill_process(parts: AdminParts, request: Request) -> Response:
    """Send a signal to programs, by command or PID; answers who got it."""
    body = await json_object(request, '{"command": "python *", "signal": 9}')
    effect = read(ProcessKilled, body, "the body")
    killed = await parts.misfortunes.kill_process(_id(request), effect)
    parts.note_misfortune(_id(request), "kill process")
    return _shown(killed)


async def out_of_memory(parts: AdminParts, request: Request) -> Response:
    """Kill the program that holds most memory; answers which it was."""
    killed = await parts.misfortunes.out_of_memory(_id(request))
    parts.note_misfortune(_id(request), "out of memory")
    return _shown([killed])


async def fill_disk(parts: AdminParts, request: Request) -> Response:
    """Leave no room on its disk."""
    await parts.misfortunes.fill_disk(_id(request), _HOLDER)
    return _done(parts, request, "fill disk")


async def free_disk(parts: AdminParts, request: Request) -> Response:
    """Give its room back."""
    parts.misfortunes.check_known(_id(request))
    await parts.misfortunes.free_disk(_id(request), _HOLDER)
    return _done(parts, request, "free disk")


async def freeze(parts: AdminParts, request: Request) -> Response:
    """Let everything in it stand still."""
    await parts.misfortunes.freeze(_id(request))
    return _done(parts, request, "freeze")


async def thaw(parts: AdminParts, request: Request) -> Response:
    """Let it go on."""
    parts.misfortunes.check_known(_id(request))
    await parts.misfortunes.thaw(_id(request))
    return _done(parts, request, "thaw")


async def skew_clock(parts: AdminParts, request: Request) -> Response:
    """Let the clock of its services be wrong."""
    skew = read(Skew, await json_object(request, '{"seconds": 3600}'), "the body")
    parts.misfortunes.skew_clock(_id(request), seconds=skew.seconds)
    return _done(parts, request, "skew clock")


def _id(request: Request) -> str:
    sandbox_id: str = request.path_params["sandboxID"]
    return sandbox_id


def _done(parts: AdminParts, request: Request, what: str) -> Response:
    parts.note_misfortune(_id(request), what)
    return JSONResponse({"sandboxID": _id(request)})


def _shown(found: Sequence[Program]) -> Response:
    rows: list[dict[str, Any]] = [
        {"pid": each.pid, "argv": list(each.argv), "memory": each.memory} for each in found
    ]
    return JSONResponse({"programs": rows})


ACTIONS: Mapping[str, Page] = {
    "die": die,
    "kill-process": kill_process,
    "out-of-memory": out_of_memory,
    "fill-disk": fill_disk,
    "free-disk": free_disk,
    "freeze": freeze,
    "thaw": thaw,
    "skew-clock": skew_clock,
}
SANDBOX_PAGES: Mapping[str, Mapping[str, Page]] = {
    "/_fake/sandboxes/{sandboxID}/programs": {"GET": programs},
    **{f"/_fake/sandboxes/{{sandboxID}}/{name}": {"POST": page} for name, page in ACTIONS.items()},
}
