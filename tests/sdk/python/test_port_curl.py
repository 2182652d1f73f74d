"""Ports in a sandbox, reached with curl."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.sdk.python.conftest import Service

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def curl(service: Service, path: str, *options: str) -> subprocess.CompletedProcess[bytes]:
    """It resolves ``*.localhost`` by itself."""
    url = f"http://{service.sandbox.get_host(service.port)}{path}"
    command = ["curl", "--silent", "--show-error", "--max-time", "20", "--noproxy", "*", *options]
    return subprocess.run([*command, url], capture_output=True, timeout=60)


def has_http2() -> bool:
    features = subprocess.run(["curl", "--version"], capture_output=True, text=True).stdout
    return "HTTP2" in features


def test_what_curl_gets(service: Service) -> None:
    told = json.loads(curl(service, "/a%2Fb?x=1", "--cookie", "a=b").stdout)
    assert told["target"] == "/a%2Fb?x=1"
    headers = dict(told["headers"])
    assert headers["Cookie"] == "a=b"
    assert headers["User-Agent"].startswith("curl/")


@pytest.mark.parametrize("how", ["--upload-file", "--data-binary"])
def test_an_upload_that_asks_before_it_sends(service: Service, tmp_path: Path, how: str) -> None:
    file = tmp_path / "large"
    file.write_bytes(b"x" * 5_000_000)
    name = f"@{file}" if how == "--data-binary" else str(file)
    # Its own default for bodies above a megabyte; here also with chunks.
    for header in ("X: y", "Transfer-Encoding: chunked"):
        options = (how, name, "--header", header, "--header", "Expect: 100-continue")
        assert curl(service, "/upload", *options).stdout == b"5000000"


def test_an_early_refusal_of_an_upload(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(b"x" * 20_000_000)
    answer = curl(service, "/early", "--upload-file", str(file), "--write-out", "%{http_code}")
    assert answer.stdout == b"413"


def test_a_stream_is_shown_as_it_comes(service: Service) -> None:
    url = f"http://{service.sandbox.get_host(service.port)}/events"
    command = ["curl", "--silent", "--no-buffer", "--noproxy", "*", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        try:
            assert running.stdout is not None
            assert [running.stdout.readline() for _ in range(3)] == [
                b"data: one\n", b"\n", b"data: two\n",
            ]  # fmt: skip
        finally:
            running.kill()


def test_half_an_answer_is_an_error_to_curl(service: Service) -> None:
    assert curl(service, "/half").returncode == 18  # a part of a file
    assert curl(service, "/crash").returncode == 18


@pytest.mark.skipif(not shutil.which("curl") or not has_http2(), reason="curl has no HTTP/2")
def test_http_2_is_declined_without_a_hang(service: Service) -> None:
    declined = curl(service, "/", "--http2", "--write-out", "%{http_version}")
    assert declined.stdout.endswith(b"1.1")
    known = curl(service, "/", "--http2-prior-knowledge", "--max-time", "10")
    assert known.returncode != 0
    assert known.returncode != 28, "it waited for an answer"
