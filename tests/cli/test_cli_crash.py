"""A server that is killed in the middle of its work leaves nothing on the machine."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.helpers.processes import lives
from tests.helpers.script import started_script
from tests.helpers.waiting import wait_until

MARKER = "8462.75"
"""How long the programs would sleep: found again by it."""


@dataclass
class Doomed:
    """A server that is going to be killed, and its API."""

    api: httpx.Client
    url: str
    connections: ExitStack = field(default_factory=ExitStack)

    def put(self, url: str, *headers: str) -> None:
        """Begin to send a body, and never end."""
        parts = urlsplit(url)
        connection = socket.create_connection((parts.hostname, parts.port))
        self.connections.enter_context(connection)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        lines = [f"PUT {target} HTTP/1.1", f"Host: {parts.netloc}", "Content-Length: 90000000"]
        head = "\r\n".join([*lines, *headers, "", ""])
        connection.sendall(head.encode() + bytes(3_000_000))

    def request_build(self) -> str:
        asked = self.api.post("/v3/templates", json={"name": "mine"}).json()
        return f"/templates/{asked['templateID']}/builds/{asked['buildID']}"


def programs() -> list[int]:
    processes = psutil.process_iter(["cmdline"])
    return [each.pid for each in processes if MARKER in " ".join(each.info["cmdline"] or [])]


def in_a_step(doomed: Doomed) -> None:
    command = f"trap '' TERM INT HUP; (setsid sleep {MARKER} &); sleep {MARKER}; echo never"
    order = {"fromImage": "x", "steps": [{"type": "RUN", "args": [command]}]}
    doomed.api.post(f"/v2{doomed.request_build()}", json=order)
    wait_until(lambda: len(programs()) >= 2)


def in_a_start_command(doomed: Doomed) -> None:
    order = {"fromImage": "x", "startCmd": f"sleep {MARKER}", "readyCmd": "false"}
    doomed.api.post(f"/v2{doomed.request_build()}", json=order)
    wait_until(programs)


def in_an_upload(doomed: Doomed) -> None:
    template = doomed.request_build().partition("/builds/")[0]
    doomed.put(doomed.api.get(f"{template}/files/{'0' * 64}").json()["url"])


def in_a_write_to_a_mounted_volume(doomed: Doomed) -> None:
    made = doomed.api.post("/volumes", json={"name": "data"}).json()
    mounts = [{"name": "data", "path": "/mnt/data"}]
    body = {"templateID": "base", "volumeMounts": mounts}
    assert doomed.api.post("/v2/sandboxes", json=body).status_code == 201
    content = f"{doomed.url}/volumecontent/{made['volumeID']}"
    token = f"Bearer {made['token']}"
    doomed.put(f"{content}/file?path=/big", f"Authorization: {token}")

    def written() -> int:
        looked = httpx.get(f"{content}/dir?path=/", headers={"Authorization": token}).json()
        return sum(each["size"] for each in looked)

    wait_until(written)


@pytest.fixture(params=["local", "isolated"])
def doomed(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Doomed, psutil.Process]]:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with started_script("serve", "--port", "0", "--runtime", request.param) as process:
        variables: dict[str, str] = {}
        while "E2B_DEBUG" not in variables:
            line = process.stdout.readline()  # type: ignore[union-attr]
            if not line and request.param == "isolated":
                pytest.skip(process.stderr.read())  # type: ignore[union-attr]
            name, _, value = shlex.split(line)[1].partition("=")
            variables[name] = value
        url = variables["E2B_API_URL"]
        headers = {"X-API-Key": variables["E2B_API_KEY"]}
        with httpx.Client(base_url=url, headers=headers, timeout=30) as api:
            made = Doomed(api, url)
            with made.connections:
                yield made, psutil.Process(process.pid)


@pytest.mark.parametrize(
    "at_work", [in_a_step, in_a_start_command, in_an_upload, in_a_write_to_a_mounted_volume]
)
def test_a_server_that_is_killed_at_work_leaves_nothing(
    doomed: tuple[Doomed, psutil.Process], tmp_path: Path, at_work: object
) -> None:
    server, process = doomed
    at_work(server)  # type: ignore[operator]
    helpers = process.children(recursive=True)
    assert helpers
    assert list(tmp_path.glob("fake-e2b-*/run-*/*"))
    process.kill()
    wait_until(lambda: not programs() and not any(map(lives, helpers)))
    wait_until(lambda: not [each for each in tmp_path.rglob("*") if each.parent != tmp_path])
    assert [each.name.rpartition("-")[0] for each in tmp_path.iterdir()] == ["fake-e2b"]
    mounts = Path("/proc/mounts")
    assert not mounts.exists() or str(tmp_path) not in mounts.read_text()
