"""Guide: "Secured Access"."""

from __future__ import annotations

import httpx
import pytest
from e2b_code_interpreter import AsyncSandbox, Sandbox

from fake_e2b.testing import FakeE2B


def test_envd_wants_the_token_of_the_sandbox(fake_e2b: FakeE2B) -> None:
    sandbox = Sandbox.create()
    sandbox.files.write("note.txt", "text")
    route = {"E2b-Sandbox-Id": sandbox.sandbox_id, "E2b-Sandbox-Port": "49983"}
    token = {"X-Access-Token": sandbox._envd_access_token or ""}

    def read(headers: dict[str, str]) -> httpx.Response:
        query = {"path": "note.txt", "username": "user"}
        return httpx.get(f"{fake_e2b.url}/files", params=query, headers=headers)

    assert read(route).status_code == 401
    assert read(route | {"X-Access-Token": "0" * 64}).status_code == 401
    assert read(route | token).text == "text"


def test_secure_false_is_accepted() -> None:
    sandbox = Sandbox.create(secure=False)
    assert sandbox.commands.run("echo open").stdout == "open\n"


def test_signed_urls_need_no_header() -> None:
    sandbox = Sandbox.create()

    uploaded = httpx.post(sandbox.upload_url("up.txt"), files={"file": ("up.txt", b"by URL")})
    downloaded = httpx.get(sandbox.download_url("up.txt"))

    assert uploaded.status_code == 200, uploaded.text
    assert sandbox.files.read("up.txt") == downloaded.text == "by URL"


def test_a_changed_signature_is_refused() -> None:
    sandbox = Sandbox.create()
    sandbox.files.write("note.txt", "text")

    url = httpx.URL(sandbox.download_url("note.txt"))
    forged = url.copy_set_param("path", "other.txt")

    assert httpx.get(forged).status_code == 401


def test_an_expired_signature_is_refused() -> None:
    with FakeE2B(clock="manual") as fake:
        sandbox = Sandbox.create(timeout=3600)
        sandbox.files.write("note.txt", "text")
        # The client stamps the expiry with its own clock, so the fake's is moved far past it.
        url = sandbox.download_url("note.txt", use_signature_expiration=60)
        assert httpx.get(url).text == "text"

        fake.clock.advance(seconds=600)

        assert httpx.get(url).status_code == 401


async def test_async_signed_urls_need_no_header() -> None:
    sandbox = await AsyncSandbox.create()
    await sandbox.files.write("note.txt", "text")
    async with httpx.AsyncClient() as client:
        response = await client.get(sandbox.download_url("note.txt"))
    assert response.text == "text"


@pytest.mark.parametrize("operation", ["upload_url", "download_url"])
def test_urls_point_at_the_fake(fake_e2b: FakeE2B, operation: str) -> None:
    assert getattr(Sandbox.create(), operation)("a.txt").startswith(fake_e2b.url)
