"""Reads what a client sent to an admin page; says the right form when it is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.requests import Request

from fake_e2b.domain.errors import UsageError

MAX_BODY_BYTES = 64 * 1024
LARGEST = 10**18 - 1


def parameters(request: Request, known: Iterable[str]) -> dict[str, str]:
    """The query's parameters, each at most once.

    Raises:
        UsageError: One is not in `known`, or is given twice.
    """
    names = sorted(known)
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in names:
            raise UsageError(f"unknown parameter '{name}'; known are: {', '.join(names)}")
        if name in found:
            raise UsageError(f"parameter '{name}' is given twice")
        found[name] = value
    return found


def flag(given: Mapping[str, str], name: str) -> bool:
    """A parameter that is true or false; false where it is not given.

    Raises:
        UsageError: It is something else.
    """
    text = given.get(name, "false")
    if text not in ("true", "false"):
        raise UsageError(f"parameter '{name}' must be true or false, not '{text}'")
    return text == "true"


def whole_number(name: str, text: str) -> int:
    """A parameter that is a whole number from 0.

    Raises:
        UsageError: It is something else.
    """
    # Cut by length first: a hostile number of a million digits must not be converted.
    digits = text.lstrip("0") or "0"
    if not (text.isascii() and text.isdecimal()) or len(digits) > len(str(LARGEST)):
        raise UsageError(f"parameter '{name}' must be a whole number from 0, e.g. {name}=20")
    return int(digits)


async def json_object(
    request: Request, form: str, *, empty: bool = False, most: int = MAX_BODY_BYTES
) -> dict[str, Any]:
    """The body as a JSON object.

    Args:
        form: An example of the right form, for the error.
        empty: An empty body stands for an empty object.
        most: How many bytes it may have.

    Raises:
        UsageError: The body is too long, no JSON, or not an object.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise UsageError(f"the body is longer than {most} bytes; send {form}")
    if empty and not body:
        return {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the body is not JSON; send {form}") from error
    if not isinstance(value, dict):
        raise UsageError(f"the body is not an object; send {form}")
    return value
