"""What envd answers before any route: CORS, the token, the Basic user, paths and verbs."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fake_e2b.runtime.select import choose_runtime
from tests.helpers.clock import ManualClock
from tests.wire.daemon import START, Daemon, running_daemon

TOKEN = "f" * 64
UNAUTHORIZED = (
    b'{"code":401,"message":"unauthorized access, please provide a valid access token '
    b'or method signing if supported"}\n'
)


@pytest.fixture
def runtime_name() -> str:
    return "local"


@pytest.fixture
async def secured(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Daemon]:
    """A daemon that asks for a token."""
    runtime = choose_runtime("local", folder=str(tmp_path))
    await runtime.start()
    try:
        async with running_daemon(runtime, clock, access_token=TOKEN) as made:
            yield made
    finally:
        await runtime.close()


def basic(name: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(name.encode()).decode()}


class TestToken:
    @pytest.mark.parametrize(
        ("method", "path", "content_type"),
        [
            ("POST", "/process.Process/List", "application/json"),
            ("POST", START, "application/connect+json"),
            ("GET", "/process.Process/List", ""),
            ("GET", "/metrics", ""),
            ("GET", "/envs", ""),
            ("POST", "/files/compose", ""),
            ("GET", "/nowhere", ""),
            ("OPTIONS", "/files", ""),
            ("PUT", "/files", ""),
        ],
    )
    async def test_without_it_everything_is_refused(
        self, secured: Daemon, method: str, path: str, content_type: str
    ) -> None:
        for token in ({}, {"X-Access-Token": "wrong"}, {"X-Access-Token": "ü"}):
            headers = {"Content-Type": content_type, **token}
            answer = await secured.client.send(method, path, headers=headers)
            assert (answer.status, answer.body) == (401, UNAUTHORIZED)
            assert answer.header("content-type") == "application/json; charset=utf-8"
            assert answer.header("x-content-type-options") == "nosniff"
            assert answer.header("vary") == "Origin"

    async def test_some_routes_check_for_themselves(self, secured: Daemon) -> None:
        for method, path in (("GET", "/health"), ("GET", "/files?x=1"), ("POST", "/files")):
            assert (await secured.client.send(method, path)).status == 204

    async def test_with_it_everything_is_open(self, secured: Daemon) -> None:
        headers = {"X-Access-Token": TOKEN}
        assert (await secured.client.unary("/process.Process/List", {}, headers)).status == 200

    async def test_an_open_daemon_ignores_tokens(self, daemon: Daemon) -> None:
        assert (await daemon.call("List", {}, X_Access_Token="whatever")).status == 200


class TestUser:
    @pytest.mark.parametrize("name", ["nouser", "", "1000"])
    async def test_an_unknown_one_fails_on_every_route(self, daemon: Daemon, name: str) -> None:
        body = f'{{"code":"unauthenticated","message":"invalid username: \'{name}\'"}}'
        headers = basic(f"{name}:")
        for method, path in (
            ("GET", "/health"),
            ("GET", "/files"),
            ("GET", "/nowhere"),
            ("POST", "/process.Process/List"),
        ):
            answer = await daemon.client.send(method, path, headers=headers)
            assert (answer.status, answer.body.decode()) == (401, body)
            assert answer.header("content-type") == "application/json"

    async def test_the_token_comes_first(self, secured: Daemon) -> None:
        answer = await secured.client.send("GET", "/envs", headers=basic("nouser:"))
        assert answer.body == UNAUTHORIZED

    async def test_what_is_no_basic_header_means_the_default_user(self, daemon: Daemon) -> None:
        for value in ("Bearer abc", "Basic", "Basic !!", "Basic " + basic("user")["Authorization"]):
            answer = await daemon.client.send("GET", "/health", headers={"Authorization": value})
            assert answer.status == 204


class TestRouter:
    async def test_an_unknown_path(self, daemon: Daemon) -> None:
        for path in ("/", "/files/", "/health/", "/process.Process/Nothing", "/init", "/freeze"):
            answer = await daemon.client.send("POST", path)
            assert (answer.status, answer.body) == (404, b"404 page not found\n")
            assert answer.header("content-type") == "text/plain; charset=utf-8"
            assert answer.header("x-content-type-options") == "nosniff"

    async def test_a_wrong_verb(self, daemon: Daemon) -> None:
        for method, path, allowed in (
            ("DELETE", "/files", ["GET", "POST"]),
            ("HEAD", "/health", ["GET"]),
            ("OPTIONS", "/health", ["GET"]),
            ("GET", START, ["POST"]),
        ):
            answer = await daemon.client.send(method, path)
            assert (answer.status, answer.body) == (405, b"")
            found = [value for name, value in answer.headers if name.lower() == "allow"]
            assert found == allowed


class TestCors:
    async def test_every_answer_varies_by_origin(self, daemon: Daemon) -> None:
        for path in ("/health", "/nowhere"):
            answer = await daemon.client.send("GET", path)
            assert answer.header("vary") == "Origin"
            assert answer.header("access-control-allow-origin") is None

    async def test_any_origin_may_read(self, daemon: Daemon) -> None:
        answer = await daemon.client.send("GET", "/health", headers={"Origin": "http://x"})
        assert answer.header("access-control-allow-origin") == "*"
        assert answer.header("access-control-expose-headers") == (
            "Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin, "
            "Location, Cache-Control, X-Content-Type-Options"
        )

    async def test_a_preflight_needs_no_token(self, secured: Daemon) -> None:
        answer = await secured.client.send(
            "OPTIONS",
            START,
            headers={
                "Origin": "http://x",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type,x-access-token",
            },
        )
        assert (answer.status, answer.body) == (204, b"")
        assert answer.header("access-control-allow-origin") == "*"
        assert answer.header("access-control-allow-methods") == "POST"
        assert answer.header("access-control-allow-headers") == "content-type,x-access-token"
        assert answer.header("access-control-max-age") == "7200"
        assert answer.header("vary") == (
            "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
        )
