"""`serve --debug-ports`: clients with E2B_DEBUG=true find their fixed ports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.own_network import in_own_network, why_not
from tests.helpers.script import clean_environment
from tests.sdk.test_javascript import FOLDER, NODE
from tests.sdk.test_javascript import why_not as why_no_javascript

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

CLIENTS = Path(__file__).with_name("debug_clients.py")
PYTHON = """
import asyncio, threading, urllib.request
from e2b_code_interpreter import AsyncSandbox, Sandbox

sandbox = Sandbox.create()
assert sandbox.sandbox_id == "debug_sandbox_id"
assert sandbox.is_running()
assert sandbox.commands.run("echo hi").stdout == "hi\\n"
sandbox.files.write("a.txt", "text")
assert Sandbox.connect(sandbox.sandbox_id).files.read("a.txt") == "text"
assert sandbox.run_code("1 + 1").text == "2"
with urllib.request.urlopen(sandbox.download_url("a.txt"), timeout=10) as answer:
    assert answer.read() == b"text"
assert [item.name for item in Sandbox.list().next_items()] == ["code-interpreter-v1"]

assert sandbox.get_host(8000) == "localhost:8000"
sandbox.commands.run("python3 -m http.server 8000 > /dev/null 2>&1 < /dev/null &")
for _ in range(200):
    try:
        answer = urllib.request.urlopen("http://" + sandbox.get_host(8000) + "/a.txt", timeout=10)
        break
    except OSError:
        threading.Event().wait(0.05)
assert answer.read() == b"text"
assert sandbox.kill()

async def again():
    sandbox = await AsyncSandbox.create()
    # Nothing was asked to end: it is the same one.
    assert (await sandbox.commands.run("cat a.txt")).stdout == "text"
    assert (await sandbox.run_code("2 + 2")).text == "4"

asyncio.run(again())
print("all of it")
"""
JAVASCRIPT = """
import assert from 'node:assert/strict'
import { Sandbox } from '@e2b/code-interpreter'
const sandbox = await Sandbox.create()
assert.equal((await sandbox.commands.run('echo hi')).stdout, 'hi\\n')
await sandbox.files.write('a.txt', 'text')
assert.equal(await sandbox.files.read('a.txt'), 'text')
assert.equal((await sandbox.runCode('1 + 1')).text, '2')
assert.equal(await (await fetch(await sandbox.downloadUrl('a.txt'))).text(), 'text')
assert.equal(sandbox.getHost(8000), 'localhost:8000')
await sandbox.kill()
console.log('all of it')
"""


def ran(*command, cwd=None):
    ended = subprocess.run(
        in_own_network(*command),
        env=clean_environment(),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize("kind", ["alone", "with-urls"])
def test_a_python_client_finds_everything(kind):
    status, said, notes = ran(sys.executable, str(CLIENTS), kind, sys.executable, "-c", PYTHON)
    assert (status, said) == (0, "all of it\n"), notes


@pytest.mark.javascript
@pytest.mark.skipif(bool(why_no_javascript()), reason=why_no_javascript())
def test_a_javascript_client_finds_everything():
    client = (NODE, "--input-type=module", "-e", JAVASCRIPT)
    status, said, notes = ran(sys.executable, str(CLIENTS), "alone", *client, cwd=FOLDER)
    assert (status, said) == (0, "all of it\n"), notes


LIFE = """
import json, urllib.request
from fake_e2b import FakeE2B

def health(port, **headers):
    request = urllib.request.Request(f"http://localhost:{port}/health", headers=headers)
    return urllib.request.urlopen(request, timeout=20).status

with FakeE2B(debug_ports=True, clock="manual") as fake:
    assert fake.port != 3000 and fake.sandboxes() == []
    assert [health(port) for port in (3000, 49983, 49983)] == [200, 204, 204]
    [first] = fake.sandboxes()
    assert not health(49983, **{"E2b-Sandbox-Id": "x", "E2b-Sandbox-Port": "1"}) == 502
    fake.clock.advance(seconds=23 * 3600)
    assert len(fake.sandboxes()) == 1
    fake.clock.advance(seconds=3600)
    assert fake.sandboxes() == []
    assert health(49983) == 204
    [second] = fake.sandboxes()
    assert first.sandbox_id != second.sandbox_id
    fake.reset()
    assert health(49983) == 204
for port in (3000, 49983, 49999):
    try:
        health(port)
    except OSError:
        continue
    raise AssertionError(port)
print("all of it")
"""


def test_the_sandbox_behind_them_is_made_when_it_is_needed():
    status, said, notes = ran(sys.executable, "-c", LIFE)
    assert (status, said) == (0, "all of it\n"), notes


TAKEN = """
import socket, subprocess, sys
taken = socket.create_server(("127.0.0.1", 49983))
sys.exit(subprocess.run([sys.executable, "-m", "fake_e2b", "serve", "--debug-ports"]).returncode)
"""


def test_a_fixed_port_that_is_taken_is_named():
    status, said, notes = ran(sys.executable, "-c", TAKEN)
    assert (status, said) == (2, "")
    assert "port 49983" in notes
    assert "do without debug ports" in notes
    assert "--port" not in notes.partition("know no other port")[2]
