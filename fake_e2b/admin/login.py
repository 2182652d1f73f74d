"""`/_fake/login/api/cli`: the page that the command line tool opens to log in, without a browser.

The tool listens on a port of its own and opens the page with that address; the page sends the
browser (or whoever follows the link) there with a token. Fact: fake.cli.login
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from fake_e2b.admin.parts import AdminParts, Page
from fake_e2b.domain.errors import UsageError

EMAIL = "somebody@example.com"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


async def login(parts: AdminParts, request: Request) -> Response:
    """Log in as the fake's own user.

    Raises:
        UsageError: It is not asked for by a tool on this machine.
    """
    if "state" in request.query_params:
        return PlainTextResponse("You can close this page.\n")
    back = request.query_params.get("next", "")
    if urlsplit(back).hostname not in _LOOPBACK:
        raise UsageError("next is the address of the tool on this machine: http://localhost:<port>")
    base = str(request.base_url).rstrip("/")
    given = {
        "email": EMAIL,
        "accessToken": parts.env()["E2B_ACCESS_TOKEN"],
        "refreshToken": parts.env()["E2B_ACCESS_TOKEN"],
        "tokenEndpoint": f"{base}/_fake/login/token",
        "revokeEndpoint": f"{base}/_fake/login/revoke",
        "clientId": "fake-e2b",
    }
    return RedirectResponse(f"{back.rstrip('/')}/?{urlencode(given)}", 302)


async def token(parts: AdminParts, request: Request) -> Response:
    """A fresh token: the same one, which never ends."""
    access = parts.env()["E2B_ACCESS_TOKEN"]
    return JSONResponse({"access_token": access, "refresh_token": access, "expires_in": 3600})


async def revoke(parts: AdminParts, request: Request) -> Response:
    """The tool logs out."""
    return JSONResponse({})


LOGIN_PAGES: Mapping[str, Mapping[str, Page]] = {
    "/_fake/login/api/cli": {"GET": login},
    "/_fake/login/token": {"POST": token},
    "/_fake/login/revoke": {"POST": revoke},
}
