"""`/_fake/stubs`: programs in sandboxes whose answers are given in advance, in the form of JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fake_e2b.admin.parts import AdminParts, Page
from fake_e2b.admin.query import json_object
from fake_e2b.backend.stubs import StubInForce
from fake_e2b.domain.forms import read, write
from fake_e2b.domain.stubs.call import StubCall
from fake_e2b.domain.stubs.form import StubForm, form_of
from fake_e2b.wire.timestamps import format_instant

FORM = '{"command": "npm install", "stdout": "added 5 packages\\n", "exitCode": 0}'


async def stubs(parts: AdminParts, request: Request) -> Response:
    """The stubs in force, in the order in which they were added."""
    return JSONResponse({"stubs": [stub_shown(each) for each in parts.stubs.all()]})


async def add_stub(parts: AdminParts, request: Request) -> Response:
    """Put a stub in force; answers when every running sandbox has it.

    Raises:
        UsageError: No call could fit, or it is not of the right form.
    """
    form = read(StubForm, await json_object(request, FORM), "a stub")
    return JSONResponse(stub_shown(await parts.stubs.add(form.rule)), 201)


async def reset_stubs(parts: AdminParts, request: Request) -> Response:
    """Take all back."""
    removed = [stub_shown(each) for each in parts.stubs.all()]
    await parts.stubs.reset()
    return JSONResponse({"stubs": removed})


async def stub(parts: AdminParts, request: Request) -> Response:
    """One stub, with the calls that it answered."""
    return JSONResponse(_with_calls(parts, parts.stubs.find(request.path_params["name"])))


async def remove_stub(parts: AdminParts, request: Request) -> Response:
    """Take one back; answers what it was, with its calls."""
    found = parts.stubs.find(request.path_params["name"])
    await parts.stubs.remove(found.rule.name)
    return JSONResponse(_with_calls(parts, found))


def stub_shown(each: StubInForce) -> dict[str, Any]:
    """A stub as it was given, with its counts."""
    return {
        **write(form_of(each.rule)),
        "handler": each.rule.answer.handler is not None,
        "hits": each.hits,
        "spent": each.spent,
    }


def _with_calls(parts: AdminParts, each: StubInForce) -> dict[str, Any]:
    return {**stub_shown(each), "calls": [_call_shown(call) for call in parts.stubs.calls(each)]}


def _call_shown(call: StubCall) -> dict[str, Any]:
    return {
        "sandboxID": call.sandbox_id,
        "argv": [_text(word) for word in call.argv],
        "cwd": _text(call.cwd),
        "env": {_text(name): _text(value) for name, value in call.env.items()},
        "stdin": call.stdin.decode(errors="replace"),
        "at": format_instant(call.at_ns),
        "exitCode": call.exit_code,
    }


def _text(text: str) -> str:
    """Without the half characters that stand for bytes which are no UTF-8."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


STUB_PAGES: Mapping[str, Mapping[str, Page]] = {
    "/_fake/stubs": {"GET": stubs, "POST": add_stub, "DELETE": reset_stubs},
    "/_fake/stubs/{name}": {"GET": stub, "DELETE": remove_stub},
}
