"""Guide: "Custom Domain"."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2b import Sandbox
from websockets.sync.client import connect

from fake_e2b import FakeE2B
from tests.guide.caddy import DOMAIN, Front, caddy
from tests.helpers.waiting import wait_until

SERVICE = Path(__file__).parents[1] / "helpers" / "service.py"
MOSAIC = "Mozilla/5.0 (X11; Linux x86_64)"
FREE_PORT = 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
MB = 1 << 20


@pytest.fixture(scope="module", params=[False, True], ids=["http", "https"])
def fake(request: pytest.FixtureRequest) -> Iterator[FakeE2B]:
    """One that Caddy speaks to in clear text, and one over TLS as in the guide."""
    with FakeE2B(tls=request.param, set_environment=False) as made:
        yield made


@pytest.fixture(scope="module")
def front(fake: FakeE2B, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with caddy(tmp_path_factory.mktemp("caddy"), fake) as found:
        yield found


def create(fake: FakeE2B, **options: Any) -> Sandbox:
    """A sandbox of that fake."""
    return Sandbox.create(
        api_key=fake.api_key,
        api_url=fake.url,
        sandbox_url=fake.url,
        domain=fake.domain,
        **options,
    )


def serve(sandbox: Sandbox) -> int:
    """Start the tests' service in the sandbox; gives its port."""
    sandbox.files.write("service.py", SERVICE.read_text())
    sandbox.commands.run("python3 service.py 0 > port 2> errors < /dev/null &")
    return int(wait_until(lambda: sandbox.files.read("port").strip()))


@pytest.fixture(autouse=True)
def _no_sandbox_left(fake: FakeE2B) -> Iterator[None]:
    yield
    fake.reset()


@pytest.fixture
def sandbox(front: Front, fake: FakeE2B) -> Sandbox:
    return create(fake)


@pytest.fixture
def name(front: Front, sandbox: Sandbox) -> str:
    """The host name of the service in the sandbox."""
    return front.name(sandbox.sandbox_id, serve(sandbox))


def test_a_request_reaches_the_service_under_the_sandboxes_own_name(
    front: Front, name: str, sandbox: Sandbox
) -> None:
    with front.client(name) as client:
        answer = client.post("/echo/a%2Fb?x=1", content=b"{}")
    assert answer.status_code == 200
    seen = answer.json()
    headers = {key.lower(): value for key, value in seen["headers"]}
    assert (seen["method"], seen["target"]) == ("POST", "/echo/a%2Fb?x=1")
    port = int(name.partition("-")[0])
    assert headers["host"] == sandbox.get_host(port)
    assert headers["x-real-ip"] == "127.0.0.1"
    assert not [key for key in headers if key.startswith("x-forwarded")]
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_a_mask_hides_the_sandboxes_name(front: Front, fake: FakeE2B) -> None:
    sandbox = create(fake, network={"mask_request_host": "localhost:${PORT}"})
    port = serve(sandbox)
    with front.client(front.name(sandbox.sandbox_id, port)) as client:
        headers = dict(client.get("/echo").json()["headers"])
    assert headers["Host"] == f"localhost:{port}"
    assert headers["X-Forwarded-Host"] == sandbox.get_host(port)


def test_large_bodies_arrive_whole_both_ways(front: Front, name: str) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(32):
            yield b"x" * MB

    with front.client(name) as client:
        assert client.post("/upload", content=pieces()).text == str(32 * MB)
        got = hashlib.sha256()
        with client.stream("GET", f"/count/{32 * MB}") as answer:
            for piece in answer.iter_bytes():
                got.update(piece)
    assert got.hexdigest() == hashlib.sha256(b"x" * (32 * MB)).hexdigest()


def test_events_arrive_while_the_stream_is_open(front: Front, name: str) -> None:
    with front.client(name) as client, client.stream("GET", "/events") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        lines = answer.iter_lines()
        assert [next(lines), next(lines), next(lines)] == ["data: one", "", "data: two"]


def test_a_websocket_goes_through(front: Front, sandbox: Sandbox) -> None:
    port = int(sandbox.commands.run(f"python3 -c '{FREE_PORT}'").stdout)
    command = f"websocat -t -E ws-l:127.0.0.1:{port} mirror:"
    sandbox.commands.run(command, background=True, timeout=0)
    name = front.name(sandbox.sandbox_id, port)
    with connect(
        f"wss://{name}:{front.port}/chat",
        sock=front.connect(),
        ssl=front.trusting,
        server_hostname=name,
        open_timeout=30,
    ) as client:
        for text in ("one", "zwei ü", "x" * 100_000):
            client.send(text)
            assert client.recv(timeout=30) == text


def test_what_is_not_there_is_told_as_by_the_service(front: Front, sandbox: Sandbox) -> None:
    nobody = front.name("i0000000000000000000", 80)
    with front.client(nobody) as client:
        answer = client.get("/")
    assert answer.status_code == 502
    wanted = {"sandboxId": "i0000000000000000000", "code": 502}
    assert answer.json() == {**wanted, "message": "The sandbox was not found"}

    closed = front.name(sandbox.sandbox_id, 81)
    with front.client(closed) as client:
        answer = client.get("/")
    assert (answer.status_code, answer.json()["port"]) == (502, 81)
    assert answer.json()["message"] == "The sandbox is running but port is not open"
    with front.client(closed, **{"User-Agent": MOSAIC}) as client:
        page = client.get("/", headers={"Accept": "text/html"})
    assert page.status_code == 502
    assert page.headers["content-type"].startswith("text/html")
    assert sandbox.sandbox_id in page.text


def test_a_private_sandbox_wants_its_token(front: Front, fake: FakeE2B) -> None:
    sandbox = create(fake, network={"allow_public_traffic": False})
    with front.client(front.name(sandbox.sandbox_id, serve(sandbox))) as client:
        assert client.get("/echo").status_code == 403
        token = {"e2b-traffic-access-token": sandbox.traffic_access_token}
        assert client.get("/echo", headers=token).status_code == 200


def test_a_host_below_another_domain_is_not_served(front: Front) -> None:
    with front.client(f"80-abc.{DOMAIN}") as client:
        request = client.build_request("GET", "/", headers={"Host": "80-abc.else.test"})
        request.extensions["sni_hostname"] = f"80-abc.{DOMAIN}"
        answer = client.send(request)
    assert answer.content == b""
