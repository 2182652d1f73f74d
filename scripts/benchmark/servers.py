"""The servers under measurement, each in a process of its own.

`servers.py KIND` prints one line of JSON (what a client needs, or why there is no server), then
serves until stdin closes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import canned
from e2b import Sandbox

from fake_e2b import FakeE2B
from fake_e2b.admin.recorder import identify
from fake_e2b.domain.errors import RuntimeUnavailableError
from fake_e2b.runtime.auto import AutoRuntime
from fake_e2b.runtime.isolated import IsolatedRuntime
from fake_e2b.server.dispatch import Own
from fake_e2b.server.gateway import Gateway
from fake_e2b.server.host import ServerThread, listen
from fake_e2b.server.settings import RuntimeName
from fake_e2b.server.streams import Receive, Scope, Send
from fake_e2b.wire.host import Destination

Kind = Literal["canned", "fake", "isolated", "unpooled", "local", "unsteered"]
"""Replies made beforehand; the fake as it is by default; with a runtime of that name, ``unpooled``
being the isolated one without guests made ahead, ``unsteered`` the local one without the layer
that performs fault rules."""


class NoServerError(Exception):
    """This machine cannot run one of that kind."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its process and the SDK options that reach it."""

    pid: int
    url: str
    api_key: str

    def options(self) -> dict[str, str]:
        return {"api_url": self.url, "sandbox_url": self.url, "api_key": self.api_key}


@contextmanager
def server(kind: Kind) -> Iterator[Server]:
    """Start a server of the kind and stop it after the block.

    Raises:
        NoServerError: The machine cannot run it.
    """
    with subprocess.Popen(
        [sys.executable, __file__, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        found = json.loads(process.stdout.readline())
        if "refusal" in found:
            raise NoServerError(found["refusal"])
        yield Server(process.pid, **found)
        process.stdin.close()
        process.wait(timeout=30)


def _serve(kind: str) -> None:
    if kind == "canned":
        thread = ServerThread(canned.app, canned.NoService(), listen("127.0.0.1", 0))
        thread.start()
        _until_stdin_closes(f"http://127.0.0.1:{thread.port}", "e2b_" + "0" * 40)
        thread.stop()
        return
    names: dict[str, RuntimeName] = {"unpooled": "isolated", "isolated": "isolated"}
    names |= {"local": "local", "unsteered": "local", "fake": "auto"}
    try:
        fake = FakeE2B(runtime=names[kind]).start()
    except RuntimeUnavailableError as refusal:
        print(json.dumps({"refusal": str(refusal)}))
        return
    if kind == "unpooled":
        _drain(fake)
    if kind == "unsteered":
        Gateway._dispatch = _dispatch_straight  # type: ignore[method-assign]
    _until_stdin_closes(fake.url, fake.api_key)
    fake.stop()


async def _dispatch_straight(self: Gateway, scope: Scope, receive: Receive, send: Send) -> None:
    """`Gateway._dispatch` as it would be if there were no rules."""
    where = self._where(scope)
    if isinstance(where, Destination):
        identify(scope, sandbox_id=where.sandbox_id, port=where.port)
    elif where is Own.CONTROL:
        identify(scope)
    await self._answer(scope, receive, send)


def _drain(fake: FakeE2B) -> None:
    """Leave no guest ahead of need."""
    auto = fake._fake().runtime
    assert isinstance(auto, AutoRuntime)
    runtime = auto._chosen
    assert isinstance(runtime, IsolatedRuntime)
    runtime._spares._at_hand = runtime._spares._most = 0
    for _ in range(10):
        Sandbox.create("base", timeout=60).kill()


def _until_stdin_closes(url: str, api_key: str) -> None:
    print(json.dumps({"url": url, "api_key": api_key}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _serve(sys.argv[1])
