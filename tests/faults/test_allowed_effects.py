"""What the contract allows: every effect by itself at the wire, all of them under real tours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from e2b import AsyncSandbox, Sandbox

from fake_e2b import FakeE2B, effects
from tests.helpers.http import connected, head_of, read_head
from tests.helpers.rpc import start_process

ROOT = Path(__file__).parents[2]
TEXT = "Grüße, 世界 🎈"


@pytest.fixture
def sandbox(fake: FakeE2B) -> Sandbox:
    return Sandbox.create()


@pytest.mark.parametrize("codec", ["json", "proto"])
def test_characters_are_split_between_frames(fake: FakeE2B, sandbox: Sandbox, codec: str) -> None:
    whole = start_process(sandbox, f"printf '{TEXT}'", codec)
    fault = fake.faults.add("Process.Start", effects.SplitCharacters())
    split = start_process(sandbox, f"printf '{TEXT}'", codec)
    assert fault.hits == 1
    assert len(split) == len(whole) + 5  # ü, ß, 世, 界, 🎈
    assert sandbox.commands.run(f"printf '{TEXT}'").stdout == TEXT


@pytest.mark.parametrize("codec", ["json", "proto"])
def test_keepalives_come_between_frames(fake: FakeE2B, sandbox: Sandbox, codec: str) -> None:
    fault = fake.faults.add("Process.Start", effects.Keepalives())
    frames = start_process(sandbox, "true", codec)
    assert fault.hits == 1
    keepalive = b'{"event":{"keepalive":{}}}' if codec == "json" else b"\x0a\x02\x22\x00"
    assert [payload for _, payload in frames][1::2][:2] == [keepalive, keepalive]
    assert frames[-1][0] == 2


def test_fields_that_nobody_knows(fake: FakeE2B, sandbox: Sandbox) -> None:
    fake.faults.add("*", effects.UnknownFields())
    [listed] = _get(fake, "/v2/sandboxes").json()
    assert listed["xFakeE2BUnknown"]
    assert listed["sandboxID"] == sandbox.sandbox_id
    assert _get(fake, f"/sandboxes/{sandbox.sandbox_id}").json()["xFakeE2BUnknown"]
    first = start_process(sandbox, "true", "json")[0]
    assert json.loads(first[1])["xFakeE2BUnknown"]
    assert start_process(sandbox, "true", "proto")[0][1].endswith(b"fake-e2b")
    sandbox.files.write("config.json", '{"mine": 1}')
    assert sandbox.files.read("config.json") == '{"mine": 1}'
    assert sandbox.get_info().metadata == {}


def test_what_has_no_order_comes_in_any(fake: FakeE2B, sandbox: Sandbox) -> None:
    fake.faults.add("*", effects.Shuffle())
    started = {sandbox.commands.run("sleep 600", background=True).pid for _ in range(5)}
    orders = [[each.pid for each in sandbox.commands.list()] for _ in range(6)]
    assert all(set(order) == started for order in orders)
    assert any(order != orders[0] for order in orders)
    members = [list(_get(fake, f"/sandboxes/{sandbox.sandbox_id}").json()) for _ in range(4)]
    assert any(each != members[0] for each in members)


def test_bodies_come_in_pieces(fake: FakeE2B, sandbox: Sandbox) -> None:
    frames = start_process(sandbox, "printf hello", "json")
    fault = fake.faults.add("*", effects.Chunks())
    assert len(start_process(sandbox, "printf hello", "json")) == len(frames)
    with connected(fake.port) as connection:
        path = f"/sandboxes/{sandbox.sandbox_id}"
        connection.sendall(head_of(path, "Host: localhost", f"X-API-Key: {fake.api_key}"))
        _, headers, body = read_head(connection)
        while len(body) < int(headers["content-length"]):
            body += connection.recv(65536)
    assert json.loads(body)["sandboxID"] == sandbox.sandbox_id
    assert fault.hits == 2


async def test_async_clients_survive_all_of_it(fake: FakeE2B) -> None:
    with fake.faults.profile("strict", seed=11) as strict:
        sandbox = await AsyncSandbox.create(metadata={"user": TEXT})
        assert (await sandbox.commands.run(f"echo '{TEXT}'")).stdout == f"{TEXT}\n"
        await sandbox.files.write("text", TEXT * 1000)
        assert await sandbox.files.read("text") == TEXT * 1000
        assert "text" in [each.name for each in await sandbox.files.list(".")]
        [listed] = await AsyncSandbox.list().next_items()
        assert listed.metadata == {"user": TEXT}
        assert await sandbox.kill()
    assert all(fault.hits for fault in strict.faults)


def test_the_tour_under_strict() -> None:
    played = subprocess.run(
        [
            sys.executable,
            str(ROOT / "scripts" / "tour.py"),
            "--profile",
            "strict",
            "--seed",
            "7",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert played.returncode == 0, played.stdout + played.stderr


def _get(fake: FakeE2B, path: str) -> httpx.Response:
    return httpx.get(f"{fake.url}{path}", headers={"X-API-Key": fake.api_key})
