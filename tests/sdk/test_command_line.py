"""The published command line tool (npm: @e2b/cli) against the fake."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2b import Sandbox, Template

from fake_e2b import FakeE2B

FOLDER = Path(__file__).parent / "command_line"
TOOL = FOLDER / "node_modules" / "@e2b" / "cli" / "dist" / "index.js"
NODE = shutil.which("node")

pytestmark = [
    pytest.mark.javascript,
    pytest.mark.skipif(NODE is None, reason="node is not installed"),
    pytest.mark.skipif(
        not TOOL.is_file(), reason="@e2b/cli is not installed (scripts/test installs it)"
    ),
]


class Tool:
    """The tool, with a home of its own."""

    def __init__(self, fake: FakeE2B, home: Path) -> None:
        self.fake = fake
        self.home = home

    def _environment(self, without: str) -> dict[str, str]:
        """Nothing of the machine's own but its programs."""
        path = f"{self.home}/bin:{os.environ['PATH']}"
        own = {"PATH": path, "HOME": str(self.home), "NO_UPDATE_NOTIFIER": "1"}
        given = {name: text for name, text in self.fake.env().items() if name != without}
        return {**own, **given}

    def __call__(self, *words: str, stdin: str = "", without: str = "", code: int = 0) -> str:
        """What it prints; it must end with `code`."""
        assert NODE is not None
        ended = subprocess.run(
            [NODE, str(TOOL), *words],
            env=self._environment(without),
            cwd=self.home,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ended.returncode == code, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def server() -> Iterator[FakeE2B]:
    with FakeE2B() as fake:
        yield fake


@pytest.fixture
def e2b(server: FakeE2B, tmp_path: Path) -> Iterator[Tool]:
    server.reset()
    yield Tool(server, tmp_path)
    server.reset()


def test_the_life_of_a_sandbox(e2b: Tool) -> None:
    sandbox_id = e2b("sandbox", "create", "-d", "base").strip()
    assert sandbox_id in e2b("sandbox", "list")
    assert json.loads(e2b("sandbox", "info", sandbox_id, "-f", "json"))["sandboxId"] == sandbox_id
    assert e2b("sandbox", "exec", sandbox_id, "echo", "hi there") == "hi there\n"
    piped = e2b("sandbox", "exec", sandbox_id, "cat; exit 3", stdin="piped\n", code=3)
    assert piped.startswith("piped\n")
    assert "CPU:" in e2b("sandbox", "metrics", sandbox_id)
    assert "Sandbox created" in e2b("sandbox", "logs", sandbox_id)
    assert "has been paused" in e2b("sandbox", "pause", sandbox_id)
    assert sandbox_id in e2b("sandbox", "list", "-s", "paused")
    assert "has been resumed" in e2b("sandbox", "resume", sandbox_id)
    assert "Killed 1 running sandboxes" in e2b("sandbox", "kill", "-a")
    assert "No sandboxes found" in e2b("sandbox", "list")
    assert "wasn't found" in e2b("sandbox", "info", sandbox_id, code=1)


def test_snapshots(e2b: Tool) -> None:
    sandbox_id = Sandbox.create().sandbox_id
    made = e2b("sandbox", "snapshot", "create", sandbox_id, "-n", "kept")
    assert "fake/kept:default" in made
    assert "fake/kept:default" in e2b("sandbox", "snapshot", "list", sandbox_id)
    e2b("sandbox", "snapshot", "delete", "fake/kept:default")
    assert "No snapshots found" in e2b("sandbox", "snapshot", "list", sandbox_id)


def test_templates(e2b: Tool) -> None:
    (e2b.home / "a.txt").write_text("a\n")
    (e2b.home / "e2b.Dockerfile").write_text(
        "FROM ubuntu:22.04\nCOPY a.txt copied.txt\nRUN cat copied.txt copied.txt > twice.txt\n"
    )
    assert "[builder" in e2b("template", "create", "mine")
    assert "mine" in e2b("template", "list")
    assert Template.exists("mine")
    assert "Published as: fake/mine" in e2b("template", "publish", "-y", "mine")
    assert "Public" in e2b("template", "list")
    e2b("template", "unpublish", "-y", "mine")
    assert "Private" in e2b("template", "list")
    e2b("template", "delete", "-y", "mine")
    assert "No templates found" in e2b("template", "list")
    (e2b.home / "e2b.Dockerfile").write_text("FROM ubuntu:22.04\nRUN exit 7\n")
    assert "exit status 7" in e2b("template", "create", "bad", code=1)


def test_files_of_templates(e2b: Tool) -> None:
    e2b("template", "init", "-n", "made", "-l", "python-sync")
    written = {path.name: path.read_text() for path in e2b.home.rglob("*.py")}
    assert "Template()" in written["template.py"]
    (e2b.home / "e2b.toml").write_text('template_id = "abc"\ndockerfile = "e2b.Dockerfile"\n')
    (e2b.home / "e2b.Dockerfile").write_text("FROM ubuntu:22.04\n")
    e2b("template", "migrate", "-l", "python-sync")
    assert list(e2b.home.glob("*.py"))


def test_it_connects_a_terminal(e2b: Tool) -> None:
    sandbox_id = Sandbox.create().sandbox_id
    said = e2b("sandbox", "exec", sandbox_id, "tty; echo $TERM")
    assert "not a tty" in said
    assert "not found" in e2b("sandbox", "connect", "inothing", code=1)


def test_it_logs_in_without_a_browser(e2b: Tool) -> None:
    assert "Not logged in" in e2b("auth", "info")
    # In place of a browser: whatever follows a link.
    browser = e2b.home / "bin" / "xdg-open"
    browser.parent.mkdir()
    follow = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=20)"
    browser.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{follow}' \"$1\"\n")
    browser.chmod(0o755)
    e2b("auth", "login", without="E2B_API_KEY")
    assert "somebody@example.com" in e2b("auth", "info")
    assert "No sandboxes found" in e2b("sandbox", "list", without="E2B_API_KEY")
    e2b("auth", "logout")
    assert "Not logged in" in e2b("auth", "info")
