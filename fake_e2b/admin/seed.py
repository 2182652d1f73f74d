"""`/_fake/seed`: fills the fake, and shows what is in it as something that fills another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fake_e2b.admin.parts import AdminParts, Page
from fake_e2b.admin.query import flag, json_object, parameters
from fake_e2b.domain.seed.forms import SeedError
from fake_e2b.domain.seed.outcome import SeedConflictError, SeedFailedError, SeedItem
from fake_e2b.domain.seed.reading import read_seed

FORM = '{"volume": [{"name": "data", "files": {"/a.txt": "hello"}}]}'
MAX_SEED_BYTES = 512 * 1024 * 1024


async def fill(parts: AdminParts, request: Request) -> Response:
    """Make what the body names and is not there; all of it or nothing."""
    try:
        seed = read_seed(await json_object(request, FORM, most=MAX_SEED_BYTES))
        filled = await parts.seeding.fill(seed)
    except SeedError as error:
        return _refusal(400, error, section=error.section, index=error.index)
    except SeedConflictError as error:
        return _refusal(409, error, conflicts=list(error.conflicts))
    except SeedFailedError as error:
        return _refusal(422, error, section=error.section, index=error.index)
    return JSONResponse(
        {"made": _shown(filled.made), "unchanged": _shown(filled.unchanged)},
        201 if filled.made else 200,
    )


async def export(parts: AdminParts, request: Request) -> Response:
    """What is in the fake."""
    given = parameters(request, ("files", "secrets"))
    wanted = {name: flag(given, name) for name in ("files", "secrets")}
    return JSONResponse(await parts.seeding.export(**wanted))


def _shown(items: Any) -> list[dict[str, Any]]:
    return [_item(each) for each in items]


def _item(item: SeedItem) -> dict[str, Any]:
    return {"kind": item.kind, "name": item.name, "team": item.team, "id": item.id}


def _refusal(status: int, error: Exception, **more: Any) -> Response:
    return JSONResponse({"code": status, "message": str(error), **more}, status)


SEED_PAGES: Mapping[str, Mapping[str, Page]] = {"/_fake/seed": {"GET": export, "POST": fill}}
