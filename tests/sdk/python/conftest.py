"""Fakes of both runtimes, and a service that runs inside a sandbox."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2b import Sandbox

from fake_e2b import FakeE2B, RuntimeUnavailableError
from fake_e2b.domain.ports import Capability
from tests.helpers.http import exchange, head_of
from tests.helpers.waiting import wait_until

SERVICE = Path(__file__).parents[2] / "helpers" / "service.py"


@pytest.fixture(scope="module", params=["local", "isolated"])
def server(request: pytest.FixtureRequest) -> Iterator[FakeE2B]:
    try:
        fake = FakeE2B(runtime=request.param).start()
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    yield fake
    fake.stop()


@pytest.fixture
def fake(server: FakeE2B) -> Iterator[FakeE2B]:
    """Without any sandbox, before and after."""
    server.reset()
    yield server
    server.reset()


@pytest.fixture(scope="module")
def isolated() -> Iterator[FakeE2B]:
    """For what `local` would show of the machine itself."""
    try:
        made = FakeE2B(runtime="isolated").start()
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    yield made
    made.stop()


def needs(fake: FakeE2B, capability: Capability) -> None:
    """Skip where the fake's runtime does not hold it, in the words `doctor` prints."""
    with urllib.request.urlopen(f"{fake.url}/_fake/state", timeout=20) as answer:
        runtime = json.loads(answer.read())["runtime"]
    if capability.name.lower() not in runtime["capabilities"]:
        pytest.skip(f"{runtime['name']} does not hold: {capability.value}")


@dataclass(frozen=True)
class Service:
    """`tests/helpers/service.py`, running in a sandbox."""

    fake: FakeE2B
    sandbox: Sandbox
    port: int

    @property
    def host(self) -> str:
        """The header by which a request finds it."""
        return f"Host: {self.sandbox.get_host(self.port)}"

    def ask(
        self, target: str, *headers: str, method: str = "GET", body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own."""
        head = head_of(target, self.host, "Connection: close", *headers, method=method)
        return exchange(self.fake.port, head + body)


def start_service(fake: FakeE2B, sandbox: Sandbox, *options: str, port: int = 0) -> Service:
    """Run the service in the sandbox, on a free port unless one is named."""
    sandbox.files.write("service.py", SERVICE.read_text())
    started = " ".join(["python3", "service.py", str(port), *options])
    sandbox.commands.run(f"{started} > port 2> errors < /dev/null &")
    listening = wait_until(lambda: sandbox.files.read("port").strip())
    return Service(fake, sandbox, int(listening))


@pytest.fixture
def service(fake: FakeE2B) -> Service:
    return start_service(fake, Sandbox.create())
