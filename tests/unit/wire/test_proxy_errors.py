from __future__ import annotations

import json

import pytest

from fake_e2b.domain.control_errors import ProxyError, ProxyKind
from fake_e2b.wire.host import RoutingError, RoutingKind
from fake_e2b.wire.proxy_errors import Answer, render, wants_html

FIELDS = {
    "sandbox_id": "iabc",
    "port": 3210,
    "limit": 7,
    "path": "/init",
}
BROWSER = {"user-agent": "Mozilla/5.0", "host": "3210-iabc.e2b.app"}


def rendered(kind: ProxyKind, headers: dict[str, str] | None = None) -> Answer:
    return render(ProxyError(kind, **FIELDS), headers or {})


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        (RoutingKind.MISSING_HEADER, 400, b"missing header\n"),
        (RoutingKind.INVALID_HOST, 400, b"Invalid host\n"),
        (RoutingKind.INVALID_SANDBOX_ID, 400, b"Invalid sandbox ID\n"),
        (
            RoutingKind.INVALID_PORT,
            500,
            b"Unexpected error when routing request: invalid sandbox port\n",
        ),
    ],
)
@pytest.mark.parametrize("headers", [{}, BROWSER])
def test_a_request_that_names_no_sandbox_gets_plain_text(
    kind: RoutingKind, status: int, text: bytes, headers: dict[str, str]
) -> None:
    answer = render(RoutingError(kind), headers)
    assert (answer.status, answer.body) == (status, text)
    assert dict(answer.headers) == {
        "content-type": "text/plain; charset=utf-8",
        "x-content-type-options": "nosniff",
        "content-length": str(len(text)),
    }


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (
            ProxyKind.SANDBOX_NOT_FOUND,
            '{"sandboxId":"iabc","message":"The sandbox was not found","code":502}',
        ),
        (
            ProxyKind.PORT_CLOSED,
            '{"sandboxId":"iabc","message":"The sandbox is running but port is not open",'
            '"port":3210,"code":502}',
        ),
        (
            ProxyKind.RESUME_DENIED,
            '{"sandboxId":"iabc","message":"This sandbox can\'t be resumed with the credentials '
            'provided. Check your access token and try again.","code":403}',
        ),
        (
            ProxyKind.STILL_TRANSITIONING,
            '{"sandboxId":"iabc","message":"The sandbox is still transitioning. '
            'Try again in a moment.","code":409}',
        ),
        (
            ProxyKind.TEAM_LIMIT,
            '{"sandboxId":"iabc","message":"you have reached the maximum number of concurrent E2B '
            "sandboxes (7). If you need more, please visit 'https://e2b.dev/docs/billing'\","
            '"code":429}',
        ),
        (
            ProxyKind.CONNECTION_LIMIT,
            '{"sandboxId":"iabc","message":"The sandbox has too many concurrent incoming '
            'connections (limit: 7)","code":429,"connectionLimit":7}',
        ),
        (
            ProxyKind.TRAFFIC_TOKEN_MISSING,
            '{"sandboxId":"iabc","message":"Sandbox is secured with traffic access token. '
            'Token header \'e2b-traffic-access-token\' is missing","code":403}',
        ),
        (
            ProxyKind.TRAFFIC_TOKEN_INVALID,
            '{"sandboxId":"iabc","message":"Sandbox is secured with traffic access token. '
            'Provided token in header \'e2b-traffic-access-token\' is invalid","code":403}',
        ),
        (
            ProxyKind.RESERVED_PATH,
            '{"message":"This endpoint is reserved for the E2B control plane and is not reachable '
            'through the sandbox URL","path":"/init","code":404}',
        ),
    ],
)
def test_scripts_get_json(kind: ProxyKind, body: str) -> None:
    answer = rendered(kind)
    assert answer.body.decode() == body
    assert answer.status == json.loads(body)["code"]
    assert dict(answer.headers)["content-type"] == "application/json; charset=utf-8"
    assert dict(answer.headers)["content-length"] == str(len(body))


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        (ProxyKind.SANDBOX_NOT_FOUND, "Sandbox Not Found"),
        (ProxyKind.PORT_CLOSED, "Closed Port Error"),
        (ProxyKind.RESUME_DENIED, "Unable to Resume Sandbox"),
        (ProxyKind.STILL_TRANSITIONING, "Sandbox Still Transitioning"),
        (ProxyKind.TEAM_LIMIT, "Sandbox Limit Reached"),
        (ProxyKind.CONNECTION_LIMIT, "Too Many Connections"),
        (ProxyKind.TRAFFIC_TOKEN_MISSING, "Missing Traffic Access Token"),
        (ProxyKind.TRAFFIC_TOKEN_INVALID, "Invalid Traffic Access Token"),
        (ProxyKind.RESERVED_PATH, "Endpoint Not Available"),
    ],
)
def test_people_get_a_page(kind: ProxyKind, title: str) -> None:
    answer = rendered(kind, BROWSER)
    page = answer.body.decode()
    assert answer.status == rendered(kind).status
    assert dict(answer.headers) == {"content-type": "text/html; charset=utf-8"}
    assert page.startswith("<html")
    assert page.endswith("</html>")
    assert f"<title>{title}</title>" in page
    assert f"<h1>{title}</h1>" in page
    assert ("iabc" in page) is (kind not in (ProxyKind.TEAM_LIMIT, ProxyKind.RESERVED_PATH))


def test_every_kind_has_both_forms() -> None:
    for kind in ProxyKind:
        assert rendered(kind).body
        assert rendered(kind, BROWSER).body


def test_what_the_pages_say() -> None:
    assert "wasn't found" in rendered(ProxyKind.SANDBOX_NOT_FOUND, BROWSER).body.decode()
    page = rendered(ProxyKind.PORT_CLOSED, BROWSER).body.decode()
    for text in ("no service running on port", "3210-iabc.e2b.app", "Connection refused on port"):
        assert text in page
    token_page = rendered(ProxyKind.TRAFFIC_TOKEN_MISSING, BROWSER).body.decode()
    assert "e2b-traffic-access-token" in token_page


def test_nothing_of_a_request_becomes_markup() -> None:
    headers = {**BROWSER, "host": "<script>alert(1)</script>"}
    page = rendered(ProxyKind.PORT_CLOSED, headers).body.decode()
    assert "<script>" not in page
    reserved = render(ProxyError(ProxyKind.RESERVED_PATH, path="/init/<b>{x}"), BROWSER)
    assert b"/init/&lt;b&gt;{x}" in reserved.body


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"user-agent": "curl/8"}, False),
        ({"user-agent": "python-httpx/0.28"}, False),
        ({"user-agent": "Mozilla/5.0"}, True),
        ({"user-agent": "something MSIE"}, True),
        ({"user-agent": "Mozilla/5.0", "accept": "Application/JSON"}, False),
        ({"user-agent": "Mozilla/5.0", "accept": "text/html, application/json"}, True),
        ({"user-agent": "Mozilla/5.0", "sec-fetch-mode": "cors"}, False),
        ({"user-agent": "Mozilla/5.0", "sec-fetch-mode": "websocket"}, False),
        ({"user-agent": "Mozilla/5.0", "sec-fetch-mode": "navigate"}, True),
        ({"user-agent": "Mozilla/5.0", "x-requested-with": "XMLHttpRequest"}, False),
        (
            {
                "user-agent": "Mozilla/5.0",
                "sec-fetch-mode": "navigate",
                "x-requested-with": "XMLHttpRequest",
            },
            True,
        ),
    ],
)
def test_who_gets_a_page(headers: dict[str, str], expected: bool) -> None:
    assert wants_html(headers) is expected
