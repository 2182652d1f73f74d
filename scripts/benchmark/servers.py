"""The servers under measurement, each in a process of its own: `servers.py fake` or `canned`.

Prints one line of JSON (the variables a client needs), then serves until stdin closes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import canned

from fake_e2b import FakeE2B
from fake_e2b.server.host import ServerThread, listen


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its process and the SDK options that reach it."""

    pid: int
    url: str
    api_key: str

    def options(self) -> dict[str, str]:
        return {"api_url": self.url, "sandbox_url": self.url, "api_key": self.api_key}


@contextmanager
def server(kind: str) -> Iterator[Server]:
    """Start a server of the kind and stop it after the block."""
    with subprocess.Popen(
        [sys.executable, __file__, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        found = json.loads(process.stdout.readline())
        yield Server(process.pid, **found)
        process.stdin.close()
        process.wait(timeout=30)


def _serve(kind: str) -> None:
    if kind == "fake":
        with FakeE2B() as fake:
            _until_stdin_closes(fake.url, fake.api_key)
        return
    thread = ServerThread(canned.app, canned.NoService(), listen("127.0.0.1", 0))
    thread.start()
    _until_stdin_closes(f"http://127.0.0.1:{thread.port}", "e2b_" + "0" * 40)
    thread.stop()


def _until_stdin_closes(url: str, api_key: str) -> None:
    print(json.dumps({"url": url, "api_key": api_key}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]).name)
