from __future__ import annotations

import json
import shlex
import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from fake_e2b import FakeE2B
from fake_e2b.cli.main import main
from tests.helpers.script import SCRIPT, clean_environment, run_script


@pytest.fixture
def fake():
    with FakeE2B(set_environment=False) as fake:
        yield fake


def ask(capsys, *arguments):
    status = main(["env", *arguments])
    return status, capsys.readouterr()


def test_a_shell_is_pointed_at_the_running_server(fake):
    command = shlex.join([*SCRIPT, "env", "--port", str(fake.port)])
    read = subprocess.run(
        ["sh", "-c", f'eval "$({command})"; echo "$E2B_API_KEY $E2B_API_URL"'],
        capture_output=True,
        text=True,
        env=clean_environment(),
        check=True,
    )
    assert read.stdout.split() == [fake.api_key, fake.url]


@pytest.mark.parametrize(
    ("shell", "start"),
    [
        ("posix", "export E2B_"),
        ("fish", "set -gx E2B_"),
        ("powershell", "$Env:E2B_"),
        ("dotenv", "E2B_"),
        ("json", "{"),
    ],
)
def test_it_speaks_the_languages_of_shells(fake, capsys, shell, start):
    status, said = ask(capsys, "--url", fake.url, "--shell", shell)
    assert (status, said.err) == (0, "")
    assert said.out.startswith(start)
    assert fake.api_key in said.out


def test_a_server_reached_by_another_name_is_used_by_that_name(fake, capsys):
    url = f"http://localhost:{fake.port}"
    _, said = ask(capsys, "--url", url + "/", "--shell", "json")
    variables = json.loads(said.out)
    assert {variables[name] for name in ("E2B_API_URL", "E2B_SANDBOX_URL")} == {url}


def test_where_nothing_answers_it_says_how_to_start_one():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ended = run_script("env", "--port", str(port))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"fake-e2b serve --port {port}" in ended.stderr


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"no"), (200, b"<html>"), (200, b"[]"), (200, b'{"A": 1}')]
)
def test_another_server_is_not_taken_for_a_fake(capsys, status, body):
    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Other) as other:
        thread = threading.Thread(target=other.handle_request)
        thread.start()
        ended, said = ask(capsys, "--port", str(other.server_port))
        thread.join()
    assert ended == 2
    assert "is no fake-e2b" in said.err


def test_what_is_no_url_is_refused(capsys):
    status, said = ask(capsys, "--url", "localhost:3000")
    assert status == 2
    assert "--url http://HOST:PORT" in said.err


def test_tokens_are_printed_on_demand(fake, capsys):
    _, said = ask(capsys, "--url", fake.url, "--shell", "json")
    assert not any(name.startswith("FAKE_E2B_") for name in json.loads(said.out))
    status, said = ask(capsys, "--url", fake.url, "--shell", "json", "--tokens")
    variables = json.loads(said.out)
    assert status == 0
    assert variables["FAKE_E2B_USER_TOKEN"] == fake.user_token
    assert variables["FAKE_E2B_ADMIN_TOKEN"] == fake.admin_token
    assert variables["FAKE_E2B_TEAM_ID"] == fake.team_id
    assert variables["E2B_API_KEY"] == fake.api_key
