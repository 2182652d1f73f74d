"""`/_fake/clock` and `/_fake/clock/advance`."""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fake_e2b.admin.parts import AdminParts
from fake_e2b.admin.query import json_object
from fake_e2b.admin.state import clock_shown
from fake_e2b.domain.clock import SECOND_NS
from fake_e2b.domain.errors import UsageError

ADVANCE_FORM = '{"seconds": 60}'
FARTHEST_S = 100 * 366 * 24 * 3600
"""A hundred years: what lies beyond cannot be written as a date any more."""


async def clock(parts: AdminParts, request: Request) -> Response:
    """What time it is for the fake, and when something becomes due."""
    return JSONResponse(clock_shown(parts))


async def advance(parts: AdminParts, request: Request) -> Response:
    """Move a manual clock; answers when everything that became due has happened.

    Raises:
        UsageError: The clock runs by itself, or the body is not of the right form.
    """
    if parts.advance is None:
        raise UsageError(
            "this fake's clock runs by itself; start it with clock='manual' "
            "(command line: --clock manual) to move it"
        )
    body = await json_object(request, ADVANCE_FORM)
    happened = await parts.advance(_seconds(body))
    return JSONResponse(
        {**clock_shown(parts), "happened": [_happening_shown(each) for each in happened]}
    )


def _seconds(body: dict[str, Any]) -> int:
    seconds: Any = body.get("seconds")
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or set(body) != {"seconds"}:
        raise UsageError(f"send {ADVANCE_FORM}: a number of seconds and nothing else")
    # NaN is refused here too: it compares with nothing.
    if not 0 <= seconds <= FARTHEST_S:
        raise UsageError(f"seconds must be between 0 and {FARTHEST_S}: a clock never goes back")
    return round(float(seconds) * SECOND_NS)


def _happening_shown(happening: object) -> Any:
    if dataclasses.is_dataclass(happening) and not isinstance(happening, type):
        return {
            field.name: _happening_shown(getattr(happening, field.name))
            for field in dataclasses.fields(happening)
        }
    if isinstance(happening, Enum):
        return happening.value
    if happening is None or isinstance(happening, bool | int | float):
        return happening
    return str(happening)
