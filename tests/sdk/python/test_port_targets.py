"""Which sandbox and port a request names, and every refusal on the way there, on the wire."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from e2b import Sandbox

from fake_e2b import FakeE2B
from tests.helpers.http import connected, exchange, head_of, read_head
from tests.sdk.python.conftest import start_service

BROWSER = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0"


@pytest.fixture(scope="module")
def running(server: FakeE2B) -> tuple[FakeE2B, Sandbox]:
    server.reset()
    return server, Sandbox.create()


def ask(fake: FakeE2B, *headers: str, target: str = "/") -> tuple[int, dict[str, str], bytes]:
    return exchange(fake.port, head_of(target, *headers, "Connection: close"))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("sandbox.e2b.app | Id: {id}", "400 missing header"),
        ("sandbox.e2b.app | Port: 49983", "400 missing header"),
        ("localhost | Id: {id}", "400 missing header"),
        ("127.0.0.1:1 | Port: 1", "400 missing header"),
        ("[::1]:1 | Port: 1", "400 missing header"),
        ("sandbox.e2b.app", "400 Invalid host"),
        ("localhost", "400 Invalid host"),
        ("127.0.0.1:1", "400 Invalid host"),
        ("abc.e2b.app", "400 Invalid host"),
        ("49983-{id}", "400 Invalid host"),
        ("", "400 Invalid host"),
        ("80-.e2b.app", "400 Invalid sandbox ID"),
        ("80-i_a.e2b.app", "400 Invalid sandbox ID"),
        ("49983-{ID}.e2b.app", "400 Invalid sandbox ID"),
        ("localhost | Id: abc-x | Port: 1", "400 Invalid sandbox ID"),
        ("-{id}.e2b.app", "500 invalid sandbox port"),
        ("x-{id}.e2b.app", "500 invalid sandbox port"),
        ("+80-{id}.e2b.app", "500 invalid sandbox port"),
        ("18446744073709551616-{id}.e2b.app", "500 invalid sandbox port"),
        ("sandbox.e2b.app | Id: {id} | Port: x", "500 invalid sandbox port"),
        ("sandbox.e2b.app | Id: {id} | Port: -1", "500 invalid sandbox port"),
        ("sandbox.e2b.app | Id: {id} | Port: 8 0", "500 invalid sandbox port"),
        ("localhost:9000 | Id: {id} | Port: 49983", "routed"),
        ("10.1.2.3 | Id: {id} | Port: 49983", "routed"),
        ("[::1]:80 | Id: {id} | Port: 49983", "routed"),
        ("sandbox.e2b.app:8443 | Id: {id} | Port: 49983", "routed"),
        ("49983-{id}.e2b.app | Id: other | Port: 1", "routed"),
        ("49983-{id}-6532622b.e2b.app", "routed"),
        ("49983-{id}-any-thing.whatever.example:8443", "routed"),
        ("localhost | Id: {id} | Id: other | Port: 49983", "routed"),
    ],
)
def test_how_a_request_names_its_sandbox(
    running: tuple[FakeE2B, Sandbox], headers: str, expected: str
) -> None:
    fake, sandbox = running
    filled = headers.format(id=sandbox.sandbox_id, ID=sandbox.sandbox_id.upper())
    host, *routing = filled.split(" | ")
    asked = [f"Host: {host}", *(f"E2b-Sandbox-{header}" for header in routing)]
    for browser in ((), (BROWSER,)):
        status, got, body = ask(fake, *asked, *browser)
        if expected == "routed":
            # The daemon's own answer to whoever has no token.
            assert (status, json.loads(body)["code"]) == (401, 401)
            continue
        code, _, text = expected.partition(" ")
        assert status == int(code)
        assert body.decode().endswith(f"{text}\n")
        assert got["content-type"] == "text/plain; charset=utf-8"
        assert got["x-content-type-options"] == "nosniff"


def not_found(fake: FakeE2B) -> tuple[str, ...]:
    return (f"Host: 80-inever.{fake.domain}",)


def closed_port(fake: FakeE2B) -> tuple[str, ...]:
    return (f"Host: {Sandbox.create().get_host(3210)}",)


def resume_denied(fake: FakeE2B) -> tuple[str, ...]:
    sandbox = Sandbox.create(lifecycle={"on_timeout": "pause", "auto_resume": True})
    sandbox.pause()
    return (f"Host: {sandbox.get_host(49983)}",)


def token_missing(fake: FakeE2B) -> tuple[str, ...]:
    sandbox = Sandbox.create(network={"allow_public_traffic": False})
    return (f"Host: {sandbox.get_host(80)}",)


def token_invalid(fake: FakeE2B) -> tuple[str, ...]:
    return (*token_missing(fake), "e2b-traffic-access-token: wrong")


def reserved(fake: FakeE2B) -> tuple[str, ...]:
    return (f"Host: {Sandbox.create().get_host(49983)}",)


@pytest.mark.parametrize(
    ("provoke", "status", "body", "title"),
    [
        (
            not_found,
            502,
            '{"sandboxId":"ID","message":"The sandbox was not found","code":502}',
            "Sandbox Not Found",
        ),
        (
            closed_port,
            502,
            '{"sandboxId":"ID","message":"The sandbox is running but port is not open",'
            '"port":3210,"code":502}',
            "Closed Port Error",
        ),
        (
            resume_denied,
            403,
            '{"sandboxId":"ID","message":"This sandbox can\'t be resumed with the credentials '
            'provided. Check your access token and try again.","code":403}',
            "Unable to Resume Sandbox",
        ),
        (
            token_missing,
            403,
            '{"sandboxId":"ID","message":"Sandbox is secured with traffic access token. '
            'Token header \'e2b-traffic-access-token\' is missing","code":403}',
            "Missing Traffic Access Token",
        ),
        (
            token_invalid,
            403,
            '{"sandboxId":"ID","message":"Sandbox is secured with traffic access token. '
            'Provided token in header \'e2b-traffic-access-token\' is invalid","code":403}',
            "Invalid Traffic Access Token",
        ),
        (
            reserved,
            404,
            '{"message":"This endpoint is reserved for the E2B control plane and is not reachable '
            'through the sandbox URL","path":"/init","code":404}',
            "Endpoint Not Available",
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_every_refusal_is_json_for_scripts_and_a_page_for_people(
    fake: FakeE2B,
    provoke: Callable[[FakeE2B], tuple[str, ...]],
    status: int,
    body: str,
    title: str,
) -> None:
    headers = provoke(fake)
    sandbox_id = headers[0].partition("-")[2].partition(".")[0]
    scripts = ((), ("User-Agent: curl/8.0",), (BROWSER, "Accept: application/json"))
    browsers = ((), ("Accept: text/html,application/json",), ("Sec-Fetch-Mode: navigate",))
    modes = ("cors", "no-cors", "same-origin", "websocket")
    # All at once: a closed port is tried for a while each time.
    with ThreadPoolExecutor() as pool:
        for_scripts = [pool.submit(ask, fake, *headers, *each, target="/init") for each in scripts]
        for_people = [
            pool.submit(ask, fake, *headers, BROWSER, *each, target="/init") for each in browsers
        ]
        by_mode = [
            pool.submit(ask, fake, *headers, BROWSER, f"Sec-Fetch-Mode: {mode}", target="/init")
            for mode in modes
        ]
    for asked in for_scripts:
        got, answered, told = asked.result()
        assert (got, told.decode()) == (status, body.replace("ID", sandbox_id))
        assert answered["content-type"] == "application/json; charset=utf-8"
        forbidden = {"retry-after", "should-retry", "www-authenticate"}
        assert not forbidden & answered.keys()
        assert not any(name.startswith("access-control") for name in answered)
    for asked in for_people:
        got, answered, told = asked.result()
        assert (got, answered["content-type"]) == (status, "text/html; charset=utf-8")
        assert f"<title>{title}</title>".encode() in told
        assert f"<h1>{title}</h1>".encode() in told
        assert (sandbox_id.encode() in told) is (provoke is not reserved)
    for asked in by_mode:
        assert asked.result()[1]["content-type"] == "application/json; charset=utf-8"


def test_a_masked_page_names_the_host_that_the_service_would_see(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(network={"mask_request_host": "internal.test:${PORT}"})
    _, _, page = ask(fake, f"Host: {sandbox.get_host(3210)}", BROWSER)
    assert b"internal.test:3210" in page
    assert sandbox.get_host(3210).encode() not in page


def test_reserved_paths_are_ordinary_on_other_ports(fake: FakeE2B) -> None:
    service = start_service(fake, Sandbox.create())
    for path in ("/init", "/freeze", "/files/../init", "//init", "/upgrade"):
        status, _, body = service.ask(path)
        assert (status, json.loads(body)["target"]) == (200, path)


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE", "HEAD"])
def test_reserved_paths_are_refused_whatever_the_method(fake: FakeE2B, method: str) -> None:
    sandbox = Sandbox.create()
    host = f"Host: {sandbox.get_host(49983)}"
    for path in ("/init", "/freeze", "/unfreeze", "/fsfreeze", "/fsthaw", "/collapse", "/upgrade"):
        for spelled in (path, f"{path}/", f"/.{path}", f"/a/..{path}?x=1", f"/%2e{path}"):
            head = head_of(spelled, host, "Connection: close", method=method)
            assert exchange(fake.port, head)[0] == 404, spelled


def test_a_preflight_reaches_the_service_or_asks_for_the_token(fake: FakeE2B) -> None:
    service = start_service(fake, Sandbox.create())
    preflight = ("Origin: https://app.example", "Access-Control-Request-Method: PUT")
    status, headers, body = service.ask("/", *preflight, method="OPTIONS")
    assert (status, json.loads(body)["method"]) == (200, "OPTIONS")
    assert not any(name.startswith("access-control") for name in headers)
    private = Sandbox.create(network={"allow_public_traffic": False})
    head = head_of("/", f"Host: {private.get_host(80)}", *preflight, method="OPTIONS")
    assert exchange(fake.port, head)[0] == 403


def test_the_token_counts_in_its_header_only(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(network={"allow_public_traffic": False})
    service = start_service(fake, sandbox)
    token = sandbox.traffic_access_token
    for target, header in (
        (f"/?e2b-traffic-access-token={token}", "X: y"),
        ("/", f"Cookie: e2b-traffic-access-token={token}"),
        ("/", f"X-Access-Token: {token}"),
    ):
        assert service.ask(target, header)[0] == 403
    assert service.ask("/", f"E2B-TRAFFIC-ACCESS-TOKEN: {token}")[0] == 200


@pytest.mark.parametrize("limit", [0, 2])
def test_too_many_connections_at_once_are_refused(limit: int) -> None:
    with FakeE2B(runtime="local", max_connections=limit) as fake, contextlib.ExitStack() as stack:
        sandbox = Sandbox.create()
        host = f"Host: {sandbox.get_host(49983)}"
        if limit:
            service = start_service(fake, sandbox)
            for _ in range(limit):
                held = stack.enter_context(connected(fake.port))
                held.sendall(head_of("/events", service.host))
                assert read_head(held)[0] == 200
        status, _, body = ask(fake, f"Host: {sandbox.get_host(80)}")
        assert status == 429
        assert json.loads(body) == {
            "sandboxId": sandbox.sandbox_id,
            "message": f"The sandbox has too many concurrent incoming connections (limit: {limit})",
            "code": 429,
            "connectionLimit": limit,
        }
        page = ask(fake, host, BROWSER)
        assert b"<h1>Too Many Connections</h1>" in page[2]
        # A reserved path is refused before anybody counts; another sandbox has its own count.
        assert ask(fake, host, target="/init")[0] == 404
        other = ask(fake, f"Host: {Sandbox.create().get_host(49983)}", target="/health")
        assert other[0] == (204 if limit else 429)
