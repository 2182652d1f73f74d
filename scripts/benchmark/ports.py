"""Opened ports: a service in a sandbox through the proxy, beside the same service without one."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from e2b_code_interpreter import Sandbox
from measures import MIB, Measure, sandbox_on
from rows import Row, medians_ms
from servers import Server

SERVICE = Path(__file__).parents[2] / "tests" / "helpers" / "service.py"
SMALL = 100
BIG_BYTES = 1_000_000_000
BLOCK = b"x" * 1_000_000
_GOAL_MS = 2.0
_GOAL_MIB = 32


@contextmanager
def service_outside() -> Iterator[int]:
    """The service as a plain program of this machine; gives its port."""
    with subprocess.Popen(
        [sys.executable, SERVICE, "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def start_inside(sandbox: Sandbox) -> int:
    """The service in the sandbox; gives its port."""
    sandbox.files.write("service.py", SERVICE.read_text())
    running = sandbox.commands.run("python3 service.py 0", background=True, timeout=0)
    started = next(iter(running))[0]
    assert started is not None
    return int(started)


def routing(sandbox: Sandbox, port: int) -> dict[str, str]:
    """The headers by which a request finds a sandbox's port."""
    return {"E2b-Sandbox-Id": sandbox.sandbox_id, "E2b-Sandbox-Port": str(port)}


def small(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    address = urlsplit(fake.url).netloc
    with service_outside() as outside, sandbox_on(fake) as sandbox:
        headers = routing(sandbox, start_inside(sandbox))

        def get(where: str, headers: dict[str, str]) -> Callable[[], None]:
            def once() -> None:
                connection = HTTPConnection(where, timeout=60)
                connection.request("GET", f"/count/{SMALL}", headers=headers)
                assert len(connection.getresponse().read()) == SMALL
                connection.close()

            return once

        floor, measured = medians_ms(
            [get(f"127.0.0.1:{outside}", {}), get(address, headers)], samples * 5
        )
    what, met = "a small GET to a port of a sandbox", measured - floor <= _GOAL_MS
    yield Row(what, measured, "ms", floor, "the same service, direct", "≤ floor + 2 ms", met)


def streams(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    address = urlsplit(fake.url).netloc
    process = psutil.Process(fake.pid)

    def down(where: str, headers: dict[str, str]) -> None:
        connection = HTTPConnection(where, timeout=60)
        connection.request("GET", f"/count/{BIG_BYTES}", headers=headers)
        answer, left = connection.getresponse(), BIG_BYTES
        while piece := answer.read(len(BLOCK)):
            left -= len(piece)
        assert left == 0
        connection.close()

    def up(where: str, headers: dict[str, str]) -> None:
        connection = HTTPConnection(where, timeout=60)
        whole = {"Content-Length": str(BIG_BYTES)}
        blocks = (BLOCK for _ in range(BIG_BYTES // len(BLOCK)))
        connection.request("POST", "/upload", blocks, headers | whole)
        assert int(connection.getresponse().read()) == BIG_BYTES
        connection.close()

    with service_outside() as outside, sandbox_on(fake) as sandbox:
        headers = routing(sandbox, start_inside(sandbox))
        for what, transfer in (("from", down), ("to", up)):
            floor = speed(lambda do=transfer: do(f"127.0.0.1:{outside}", {}))  # type: ignore[misc]
            before = process.memory_info().rss
            measured = speed(lambda do=transfer: do(address, headers))  # type: ignore[misc]
            grown = (process.memory_info().rss - before) / MIB
            name = f"1 GB {what} a port of a sandbox"
            yield Row(name, measured, "MB/s", floor, "the same service, direct", "–", True)
            name, goal = f"server memory after 1 GB {what} a port", f"< {_GOAL_MIB} MiB"
            yield Row(name, max(grown, 0.0), "MiB more", None, "", goal, grown < _GOAL_MIB)


def speed(transfer: Callable[[], None]) -> float:
    """MB/s of moving 1 GB."""
    start = time.perf_counter()
    transfer()
    return BIG_BYTES / 1e6 / (time.perf_counter() - start)


MEASURES: list[Measure] = [small, streams]
"""In the order of the table."""
