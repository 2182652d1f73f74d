"""Requests of older SDKs, which name their sandbox less clearly than today's."""

from __future__ import annotations

import json
import urllib.parse

import httpx
import pytest
from e2b import Sandbox

from fake_e2b import FakeE2B
from tests.helpers.http import exchange

NOT_FOUND = "The sandbox was not found"


@pytest.fixture
def sandbox(fake: FakeE2B) -> Sandbox:
    made = Sandbox.create()
    made.files.write("a b.txt", "found")
    return made


def token_of(sandbox: Sandbox) -> str:
    return str(sandbox.connection_config.sandbox_headers["X-Access-Token"])


def get(fake: FakeE2B, path: str, **headers: str) -> httpx.Response:
    with httpx.Client(trust_env=False, timeout=20) as client:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.get(fake.url + path, headers=named)


def test_handles_that_carry_only_the_token(fake: FakeE2B, sandbox: Sandbox) -> None:
    token = token_of(sandbox)
    assert get(fake, "/health", x_access_token=token).status_code == 204
    answer = get(fake, "/files?path=a%20b.txt", x_access_token=token)
    assert (answer.status_code, answer.text) == (200, "found")
    other = Sandbox.create()
    assert get(fake, "/files?path=a+b.txt", x_access_token=token_of(other)).status_code == 404


def test_such_a_handle_learns_that_its_sandbox_is_gone(fake: FakeE2B, sandbox: Sandbox) -> None:
    token = token_of(sandbox)
    sandbox.kill()
    answer = get(fake, "/health", x_access_token=token)
    assert answer.status_code == 502
    assert answer.json() == {"sandboxId": sandbox.sandbox_id, "message": NOT_FOUND, "code": 502}


def test_a_reset_forgets_what_tokens_meant(fake: FakeE2B, sandbox: Sandbox) -> None:
    token = token_of(sandbox)
    assert get(fake, "/health", x_access_token=token).status_code == 204
    fake.reset()
    assert get(fake, "/health", x_access_token=token).text == "Invalid host\n"


def test_signed_urls_name_no_sandbox(fake: FakeE2B, sandbox: Sandbox) -> None:
    Sandbox.create()
    url = sandbox.download_url("a b.txt", use_signature_expiration=60)
    assert url.startswith(fake.url)
    with httpx.Client(trust_env=False) as client:
        assert client.get(url).text == "found"
        upload = sandbox.upload_url("up.txt")
        answer = client.post(upload, files={"file": ("up.txt", b"sent")})
        assert answer.status_code == 200
    assert sandbox.files.read("up.txt") == "sent"


@pytest.mark.parametrize(
    "change",
    [
        {"username": "root"},
        {"path": "other.txt"},
        {"signature": "v1_x"},
        {"signature": ""},
        {"signature_expiration": "1"},
    ],
)
def test_a_changed_signed_url_is_refused(
    fake: FakeE2B, sandbox: Sandbox, change: dict[str, str]
) -> None:
    split = urllib.parse.urlsplit(sandbox.download_url("a b.txt"))
    query = dict(urllib.parse.parse_qsl(split.query)) | change
    answer = get(fake, f"/files?{urllib.parse.urlencode(query)}")
    assert answer.status_code == 401
    assert answer.json() == {"code": 401, "message": "invalid signature"}


def test_a_paused_sandboxs_signed_url_finds_nobody(fake: FakeE2B, sandbox: Sandbox) -> None:
    url = sandbox.download_url("a b.txt")
    sandbox.pause()
    answer = get(fake, url.removeprefix(fake.url))
    assert (answer.status_code, answer.json()["message"]) == (502, NOT_FOUND)


def test_routing_headers_on_control_plane_calls(fake: FakeE2B, sandbox: Sandbox) -> None:
    headers = {
        "X-API-Key": fake.api_key,
        "E2b-Sandbox-Id": sandbox.sandbox_id,
        "E2b-Sandbox-Port": "49983",
        "X-Access-Token": token_of(sandbox),
    }
    answer = get(fake, f"/sandboxes/{sandbox.sandbox_id}", **headers)
    assert answer.status_code == 200
    assert answer.json()["sandboxID"] == sandbox.sandbox_id


def test_the_long_form_of_an_id(fake: FakeE2B, sandbox: Sandbox) -> None:
    long_id = f"{sandbox.sandbox_id}-6532622b"
    headers = {"E2b-Sandbox-Id": long_id, "E2b-Sandbox-Port": "49983"}
    assert get(fake, "/health", **headers).status_code == 204
    assert get(fake, "/health", Host=f"49983-{long_id}.{fake.domain}").status_code == 204
    headers["E2b-Sandbox-Id"] = f"{sandbox.sandbox_id}-x"
    assert get(fake, "/health", **headers).text == "Invalid sandbox ID\n"


def test_two_healths(fake: FakeE2B, sandbox: Sandbox) -> None:
    assert get(fake, "/health").status_code == 200
    headers = {"E2b-Sandbox-Id": sandbox.sandbox_id, "E2b-Sandbox-Port": "49983"}
    assert get(fake, "/health", **headers).status_code == 204


def test_names_of_todays_supported_domains(fake: FakeE2B, sandbox: Sandbox) -> None:
    headers = {
        "Host": "sandbox.e2b.app",
        "E2b-Sandbox-Id": sandbox.sandbox_id,
        "E2b-Sandbox-Port": "49983",
    }
    assert get(fake, "/health", **headers).status_code == 204


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "x" * 60_000},
        {"Host": "49983-" + "a" * 60_000 + ".e2b.app"},
        {"Host": "[::1"},
        {"Host": "127.0.0.1:99999999"},
        {"E2b-Sandbox-Id": "../../etc", "E2b-Sandbox-Port": "49983"},
        {"E2b-Sandbox-Id": "a" * 60_000, "E2b-Sandbox-Port": "49983"},
        {"E2b-Sandbox-Id": "a", "E2b-Sandbox-Port": "9" * 60_000},
        {"X-Access-Token": "\x00" * 10},
        {"X-Access-Token": "x" * 60_000},
    ],
    ids=str,
)
def test_hostile_headers_get_an_answer_and_harm_nobody(
    fake: FakeE2B, sandbox: Sandbox, headers: dict[str, str]
) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    host = "" if "Host" in headers else "Host: localhost\r\n"
    from_bytes = f"GET /files HTTP/1.1\r\n{host}{lines}Connection: close\r\n\r\n".encode("latin-1")
    status = exchange(fake.port, from_bytes)[0]
    assert status in (400, 500, 502)
    assert sandbox.is_running()
    assert not [
        record for record in fake.journal.records(path="/files") if record.traceback is not None
    ]


def test_the_journal_names_what_was_found(fake: FakeE2B, sandbox: Sandbox) -> None:
    since = fake.journal.mark()
    get(fake, "/files?path=a+b.txt", x_access_token=token_of(sandbox))
    [record] = fake.journal.records(since=since)
    assert (record.operation, record.sandbox_id) == ("files.download", sandbox.sandbox_id)
    assert token_of(sandbox) not in json.dumps(record.headers)
