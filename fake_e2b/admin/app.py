"""The ASGI app behind `/_fake/`.

Answers are JSON. What a caller got wrong is 400 with the right form in `message`, in the shape of
the API's own errors. A page of another site that is open in a browser may not steer the fake: a
request with a foreign `Origin` is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fake_e2b.admin.clock import CLOCK_PAGES
from fake_e2b.admin.faults import FAULT_PAGES
from fake_e2b.admin.gates import GATE_PAGES
from fake_e2b.admin.index import index
from fake_e2b.admin.journal import journal
from fake_e2b.admin.journal_expect import expect
from fake_e2b.admin.login import LOGIN_PAGES
from fake_e2b.admin.openapi import openapi
from fake_e2b.admin.parts import AdminParts, Page
from fake_e2b.admin.profiles import PROFILE_PAGES
from fake_e2b.admin.recorder import App, Receive, Scope, Send
from fake_e2b.admin.sandboxes import SANDBOX_PAGES
from fake_e2b.admin.seed import SEED_PAGES
from fake_e2b.admin.state import credentials, env, health, reset, state
from fake_e2b.admin.stubs import STUB_PAGES
from fake_e2b.domain.errors import UsageError

# What stands in braces is one segment, which the page finds in `request.path_params`.
PAGES: Mapping[str, Mapping[str, Page]] = {
    "/_fake/": {"GET": index},
    "/_fake/health": {"GET": health},
    "/_fake/state": {"GET": state},
    "/_fake/env": {"GET": env},
    "/_fake/credentials": {"GET": credentials},
    "/_fake/reset": {"POST": reset},
    "/_fake/journal": {"GET": journal},
    "/_fake/journal/expect": {"POST": expect},
    **CLOCK_PAGES,
    **FAULT_PAGES,
    **PROFILE_PAGES,
    **GATE_PAGES,
    **LOGIN_PAGES,
    **SANDBOX_PAGES,
    **SEED_PAGES,
    **STUB_PAGES,
    "/_fake/openapi.json": {"GET": openapi},
}


def admin_app(parts: AdminParts) -> App:
    """The fake's own pages as an ASGI app; it sees whole paths, `/_fake/` included."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await _answer(parts, request)
        response.headers["cache-control"] = "no-store"
        await response(scope, receive, send)

    return app


async def _answer(parts: AdminParts, request: Request) -> Response:
    path = request.scope["path"]
    pages, request.scope["path_params"] = _found(request.scope)
    if pages is None:
        return _refusal(404, f"no page {path}; there are: {', '.join(PAGES)}")
    page = pages.get("GET" if request.method == "HEAD" else request.method)
    if page is None:
        methods = ", ".join(pages)
        refusal = _refusal(405, f"{path} knows {methods}, not {request.method}")
        refusal.headers["allow"] = methods
        return refusal
    if _is_foreign(request):
        return _refusal(403, "pages of other sites may not use the fake")
    try:
        return await page(parts, request)
    except UsageError as error:
        return _refusal(400, str(error))


def _found(scope: Scope) -> tuple[Mapping[str, Page] | None, dict[str, str]]:
    """The pages at a path, and the values of the parts that are named in braces."""
    path = "/_fake/" if scope["path"] == "/_fake" else scope["path"]
    if path in PAGES:
        return PAGES[path], {}
    raw: bytes = scope.get("raw_path") or quote(path).encode()
    # A name may hold anything, slashes too.
    segments = [unquote(segment) for segment in raw.decode("latin-1").split("/")]
    for form, pages in PAGES.items():
        parts = form.split("/")
        pairs = list(zip(parts, segments, strict=False))
        if len(parts) == len(segments) and all(
            part == segment or (part.startswith("{") and segment) for part, segment in pairs
        ):
            return pages, {part[1:-1]: text for part, text in pairs if part.startswith("{")}
    return None, {}


def _is_foreign(request: Request) -> bool:
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")


def _refusal(status: int, message: str) -> JSONResponse:
    return JSONResponse({"code": status, "message": message}, status)
