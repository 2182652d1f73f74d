"""The one table of the sandbox proxy: kind → status, text, and the page that browsers get.

Facts: proxy.errors.json, proxy.errors.html, proxy.errors.text, proxy.errors.negotiation
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from fake_e2b.domain.control_errors import ProxyError, ProxyKind
from fake_e2b.wire.host import RoutingError, RoutingKind

TOKEN_HEADER = "e2b-traffic-access-token"
_JSON = "application/json; charset=utf-8"
_HTML = "text/html; charset=utf-8"
_TEXT = "text/plain; charset=utf-8"

_BROWSERS = ("mozilla", "chrome", "safari", "firefox", "edge", "opera", "msie")
_SCRIPTED = frozenset({"cors", "no-cors", "same-origin", "websocket"})


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response; header names are in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Page:
    """One templated refusal.

    Attributes:
        message: A format string over the error's fields.
        extra: Fields of the JSON body beside `sandboxId`, `message` and `code`, in order: those
            before `code` and those behind it.
        text: What the HTML page says below its title; a format string too.
        names_sandbox: Whether the body has `sandboxId` and the page shows it.
    """

    status: int
    message: str
    title: str
    text: str
    extra: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    names_sandbox: bool = True


_PLAIN: Mapping[RoutingKind, tuple[int, str]] = {
    RoutingKind.MISSING_HEADER: (400, "missing header"),
    RoutingKind.INVALID_HOST: (400, "Invalid host"),
    RoutingKind.INVALID_SANDBOX_ID: (400, "Invalid sandbox ID"),
    # Meant to be a 400 by the service, and a 500 in fact.
    RoutingKind.INVALID_PORT: (500, "Unexpected error when routing request: invalid sandbox port"),
}
"""Refusals before a sandbox is known: text, whoever asks."""

_PAGES: Mapping[ProxyKind, _Page] = {
    ProxyKind.SANDBOX_NOT_FOUND: _Page(
        502,
        "The sandbox was not found",
        "Sandbox Not Found",
        "The sandbox <strong>{sandbox_id}</strong> wasn't found.",
    ),
    ProxyKind.PORT_CLOSED: _Page(
        502,
        "The sandbox is running but port is not open",
        "Closed Port Error",
        "The sandbox <strong>{sandbox_id}</strong> is running, but there is no service running "
        "on port <strong>{port}</strong>.</p><p>{host}: Connection refused on port {port}",
        extra=(("port",), ()),
    ),
    ProxyKind.RESUME_DENIED: _Page(
        403,
        "This sandbox can't be resumed with the credentials provided. "
        "Check your access token and try again.",
        "Unable to Resume Sandbox",
        "The sandbox <strong>{sandbox_id}</strong> is paused, and the request's credentials may "
        "not wake it.",
    ),
    ProxyKind.STILL_TRANSITIONING: _Page(
        409,
        "The sandbox is still transitioning. Try again in a moment.",
        "Sandbox Still Transitioning",
        "The sandbox <strong>{sandbox_id}</strong> is between two states.",
    ),
    ProxyKind.TEAM_LIMIT: _Page(
        429,
        "you have reached the maximum number of concurrent E2B sandboxes ({limit}). "
        "If you need more, please visit 'https://e2b.dev/docs/billing'",
        "Sandbox Limit Reached",
        "The team's limit of running sandboxes is reached.",
    ),
    ProxyKind.CONNECTION_LIMIT: _Page(
        429,
        "The sandbox has too many concurrent incoming connections (limit: {limit})",
        "Too Many Connections",
        "The sandbox <strong>{sandbox_id}</strong> takes {limit} connections at a time.",
        extra=((), ("limit",)),
    ),
    ProxyKind.TRAFFIC_TOKEN_MISSING: _Page(
        403,
        f"Sandbox is secured with traffic access token. Token header '{TOKEN_HEADER}' is missing",
        "Missing Traffic Access Token",
        "The sandbox <strong>{sandbox_id}</strong> answers only requests that carry the header "
        f"<code>{TOKEN_HEADER}</code>.",
    ),
    ProxyKind.TRAFFIC_TOKEN_INVALID: _Page(
        403,
        "Sandbox is secured with traffic access token. "
        f"Provided token in header '{TOKEN_HEADER}' is invalid",
        "Invalid Traffic Access Token",
        "The header "
        f"<code>{TOKEN_HEADER}</code> does not fit the sandbox <strong>{{sandbox_id}}</strong>.",
    ),
    ProxyKind.RESERVED_PATH: _Page(
        404,
        "This endpoint is reserved for the E2B control plane "
        "and is not reachable through the sandbox URL",
        "Endpoint Not Available",
        "The path <code>{path}</code> is not reachable from outside the sandbox.",
        extra=(("path",), ()),
        names_sandbox=False,
    ),
}

_WIRE_NAMES = {"port": "port", "limit": "connectionLimit", "path": "path"}


def wants_html(headers: Mapping[str, str]) -> bool:
    """Whether a refusal is rendered as a page for people.

    Args:
        headers: Of the request, names in lower case.
    """
    accept = headers.get("accept", "").lower()
    if "application/json" in accept and "text/html" not in accept:
        return False
    mode = headers.get("sec-fetch-mode", "").lower()
    if mode in _SCRIPTED or (mode != "navigate" and headers.get("x-requested-with")):
        return False
    agent = headers.get("user-agent", "").lower()
    return any(browser in agent for browser in _BROWSERS)


def render(error: ProxyError | RoutingError, request_headers: Mapping[str, str]) -> Answer:
    """The answer that `error` becomes for a request with these headers (names in lower case).

    Fields of the error: `sandbox_id`, and where the text names them `port`, `limit`, `path`;
    `host` is the host that the closed-port page shows, by default the request's.
    """
    if isinstance(error, RoutingError):
        status, text = _PLAIN[RoutingKind(error.kind)]
        headers = (("content-type", _TEXT), ("x-content-type-options", "nosniff"))
        return _with_length(status, headers, f"{text}\n".encode())
    page = _PAGES[ProxyKind(error.kind)]
    fields = {"host": request_headers.get("host", ""), "sandbox_id": "", **error.fields}
    if wants_html(request_headers):
        shown = {name: escape(str(value)) for name, value in fields.items()}
        # Without a length: the service sends its pages in chunks.
        return Answer(page.status, (("content-type", _HTML),), _html(page, shown).encode())
    body = json.dumps(_body(page, fields), separators=(",", ":"), ensure_ascii=False)
    return _with_length(page.status, (("content-type", _JSON),), body.encode())


def _body(page: _Page, fields: Mapping[str, object]) -> dict[str, object]:
    before, behind = page.extra
    body: dict[str, object] = {"sandboxId": fields["sandbox_id"]} if page.names_sandbox else {}
    body["message"] = page.message.format_map(fields)
    body |= {_WIRE_NAMES[name]: fields[name] for name in before}
    body["code"] = page.status
    body |= {_WIRE_NAMES[name]: fields[name] for name in behind}
    return body


def _html(page: _Page, shown: Mapping[str, str]) -> str:
    return (
        f'<html lang="en"><head><meta charset="utf-8"><title>{page.title}</title></head>'
        f"<body><h1>{page.title}</h1><p>{page.text.format_map(shown)}</p></body></html>"
    )


def _with_length(status: int, headers: tuple[tuple[str, str], ...], body: bytes) -> Answer:
    return Answer(status, (*headers, ("content-length", str(len(body)))), body)
