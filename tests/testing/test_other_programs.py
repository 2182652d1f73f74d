"""Programs that get the fake's variables find the host names of sandboxes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from e2b import Sandbox

from fake_e2b import FakeE2B
from fake_e2b.testing import programs
from fake_e2b.testing.programs import program_variables

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")
NAME = "3000-iabc.e2b.localhost"


def run(*command: str, **variables: str) -> str:
    """What the program prints, with these variables and nothing inherited."""
    finished = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout.strip()


def python(program: str, *options: str, **variables: str) -> str:
    return run(sys.executable, *options, "-c", program, **{**program_variables({}), **variables})


def node(program: str, *options: str, **variables: str) -> object:
    assert NODE is not None
    return json.loads(run(NODE, *options, "-e", program, **{**program_variables({}), **variables}))


PYTHON_LOOKUP = """
import socket
print({entry[4][0] for entry in socket.getaddrinfo(%r, 80, %s)})
"""


@pytest.mark.parametrize(
    ("name", "family", "found"),
    [
        (NAME, "0", "127.0.0.1"),
        ("A.LocalHost.", "0", "127.0.0.1"),
        (b"bytes.localhost", "0", "127.0.0.1"),
        (NAME, "socket.AF_INET6", "::1"),
        ("192.0.2.1", "0", "192.0.2.1"),
    ],
)
def test_python_programs_find_them(name: str | bytes, family: str, found: str) -> None:
    assert python(PYTHON_LOOKUP % (name, family)) == f"{{'{found}'}}"


def test_python_programs_fetch_from_a_sandbox() -> None:
    program = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).status)"
    with FakeE2B(runtime="local", set_environment=False) as fake:
        sandbox = Sandbox.create(
            api_url=fake.url, sandbox_url=fake.url, api_key=fake.api_key, domain=fake.domain
        )
        url = f"http://{sandbox.get_host(49983)}/health"
        assert run(sys.executable, "-c", program, url, **fake.env()) == "204"


def test_the_users_own_sitecustomize_still_runs(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("import sys; sys.mine = __file__")
    variables = program_variables({"PYTHONPATH": str(folder)})
    program = "import sys; print(sys.mine, [p for p in sys.path if 'shims' in p])"
    assert python(program, **variables) == f"{folder / 'sitecustomize.py'} []"
    assert python(PYTHON_LOOKUP % (NAME, "0"), **variables) == "{'127.0.0.1'}"


def test_a_python_that_ignores_its_environment_is_left_alone() -> None:
    assert python("import sys; print('sitecustomize' in sys.modules)", "-I", "-S") == "False"


def test_other_domains_are_those_of_the_fake() -> None:
    lookup = PYTHON_LOOKUP % ("x.fake.test", "0")
    with FakeE2B(runtime="local", domain="fake.test") as fake:
        assert fake.env()["FAKE_E2B_DOMAIN"] == "fake.test"
        assert python(lookup, **fake.env()) == "{'127.0.0.1'}"


NODE_LOOKUP = """
const dns = require('dns'), util = require('util'), assert = require('assert')
const name = process.env.NAME
dns.lookup(name, (e, address, family) => {
  dns.lookup(name, { all: true }, async (e, all) => {
    const six = await dns.promises.lookup(name, 6)
    const promised = await util.promisify(dns.lookup)(name, { family: 'IPv4' })
    const { lookup } = await import('dns/promises')
    const imported = await lookup(name, { all: true, family: 6 })
    console.log(JSON.stringify([address, family, all, six, promised, imported]))
  })
})
"""
FOUR = {"address": "127.0.0.1", "family": 4}
SIX = {"address": "::1", "family": 6}


@needs_node
@pytest.mark.parametrize("name", [NAME, "A.LocalHost."])
def test_node_programs_find_them(name: str) -> None:
    found = node(NODE_LOOKUP, NAME=name)
    assert found == ["127.0.0.1", 4, [FOUR], SIX, FOUR, [SIX]]


@needs_node
def test_node_asks_its_own_resolver_for_other_names() -> None:
    program = """
    const dns = require('dns')
    dns.lookup('192.0.2.1', (e, address) => {
      try { dns.lookup('a.localhost') } catch (error) { var refused = error.code }
      console.log(JSON.stringify([address, refused]))
    })"""
    assert node(program) == ["192.0.2.1", "ERR_INVALID_ARG_TYPE"]


@needs_node
def test_nodes_worker_threads_find_them_too() -> None:
    program = """
    const { Worker } = require('worker_threads')
    const worker = new Worker(`
      require('dns').lookup('a.localhost', (e, address) =>
        require('worker_threads').parentPort.postMessage(address))`, { eval: true })
    worker.on('message', (address) => console.log(JSON.stringify(address)))"""
    assert node(program) == "127.0.0.1"


@needs_node
def test_nodes_options_stay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s a "folder" \\ of mine'
    shutil.copytree(Path(programs.__file__).with_name("shims"), folder)
    monkeypatch.setattr(programs, "_SHIMS", folder)
    variables = program_variables({"NODE_OPTIONS": "--no-warnings"})
    program = "console.log(JSON.stringify([process.execArgv, process.env.NODE_OPTIONS]))"
    assert node(program, **variables) == [["-e", program], variables["NODE_OPTIONS"]]
    assert variables["NODE_OPTIONS"].startswith("--no-warnings --require=")
    assert node(NODE_LOOKUP, NAME=NAME, **variables)


def test_nothing_is_added_twice() -> None:
    once = program_variables({"NODE_OPTIONS": "--no-warnings", "PYTHONPATH": "a:b"})
    assert program_variables(once) == once
    assert once["PYTHONPATH"].endswith(":a:b")


@needs_node
def test_a_preview_link_opens_in_plain_mode() -> None:
    program = """
    fetch(`http://${process.argv[1]}/`).then(async (answer) =>
      console.log(JSON.stringify([answer.status, await answer.text()])))"""
    with FakeE2B(runtime="local") as fake:
        sandbox = Sandbox.create()
        sandbox.files.write("server.py", SERVER)
        sandbox.commands.run("python3 server.py > port 2> errors < /dev/null &")
        port = sandbox.commands.run("until [ -s port ]; do sleep 0.05; done; cat port").stdout
        assert NODE is not None
        shown = run(NODE, "-e", program, sandbox.get_host(int(port)), **fake.env())
        sandbox.kill()
    assert json.loads(shown) == [200, "hello"]


SERVER = """
import http.server
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")
server = http.server.HTTPServer(("127.0.0.1", 0), Hello)
print(server.server_port, flush=True)
server.serve_forever()
"""
