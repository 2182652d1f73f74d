"""The figures, each beside its floor."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

import httpx
import psutil
from canned import BIG_BYTES, BLOCK, SMALL
from e2b.sandbox.commands.command_handle import PtySize
from e2b_code_interpreter import Sandbox
from rows import Row, median_ms, medians_ms, took_ms
from servers import Server

from fake_e2b import FakeE2B
from fake_e2b.domain.ids import SandboxID

MIB = 1024 * 1024


@contextmanager
def sandbox_on(server: Server) -> Iterator[Sandbox]:
    sandbox = Sandbox.create(timeout=3600, **server.options())
    yield sandbox
    sandbox.kill()


def create(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    def rested(on: Server) -> float:
        time.sleep(0.05)  # `runtimes.creates` shows what comes of many in a row
        made: list[Sandbox] = []
        took = took_ms(lambda: made.append(Sandbox.create("base", timeout=600, **on.options())))
        made[0].kill()
        return took

    taken: dict[int, list[float]] = {canned.pid: [], fake.pid: []}
    for _ in range(samples):
        for server in (canned, fake):
            taken[server.pid].append(rested(server))
    floor, measured = (median(taken[server.pid]) for server in (canned, fake))
    met = measured <= 2 * floor
    yield Row("`Sandbox.create`", measured, "ms", floor, "canned reply", "≤ 2 × floor", met)


def commands(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    with (
        tempfile.TemporaryDirectory() as home,
        sandbox_on(canned) as replayed,
        sandbox_on(fake) as sandbox,
    ):

        def spawn() -> None:
            subprocess.run(
                ["/bin/bash", "-l", "-c", "echo hi"],
                env={"HOME": home, "PATH": "/usr/bin:/bin"},
                stdout=subprocess.DEVNULL,
                check=True,
            )

        def run(on: Sandbox) -> Callable[[], object]:
            return lambda: on.commands.run("echo hi")

        bare, reply, measured = medians_ms([spawn, run(replayed), run(sandbox)], samples)
    what, floor = '`commands.run("echo hi")`', bare + reply
    met = measured <= 1.5 * floor
    yield Row(what, measured, "ms", floor, "bare bash + canned reply", "≤ 1.5 × floor", met)


def small_files(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    with sandbox_on(canned) as replayed, sandbox_on(fake) as sandbox:

        def write(on: Sandbox) -> Callable[[], object]:
            return lambda: on.files.write("small.txt", SMALL)

        def read(on: Sandbox) -> Callable[[], object]:
            return lambda: on.files.read("small.txt")

        for what, operation in (("write", write), ("read", read)):
            floor, measured = medians_ms([operation(replayed), operation(sandbox)], samples)
            name, met = f"`files.{what}`, 100 B", measured <= 1.5 * floor
            yield Row(name, measured, "ms", floor, "canned reply", "≤ 1.5 × floor", met)


def big_files(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    with sandbox_on(fake) as sandbox, httpx.Client(timeout=120, trust_env=False) as client:
        headers = {
            "E2b-Sandbox-Id": sandbox.sandbox_id,
            "E2b-Sandbox-Port": "49983",
            "X-Access-Token": sandbox._envd_access_token or "",
            "Content-Type": "application/octet-stream",
            "Accept-Encoding": "identity",
        }

        def body() -> Iterator[bytes]:
            for _ in range(BIG_BYTES // len(BLOCK)):
                yield BLOCK
            yield BLOCK[: BIG_BYTES % len(BLOCK)]

        def up(server: Server) -> None:
            sized = headers | {"Content-Length": str(BIG_BYTES)}
            query = {"path": "big.bin"}
            client.post(
                f"{server.url}/files", params=query, headers=sized, content=body()
            ).raise_for_status()

        def down(server: Server) -> None:
            url, query = f"{server.url}/files", {"path": "big.bin"}
            with client.stream("GET", url, params=query, headers=headers) as answer:
                received = sum(len(piece) for piece in answer.iter_raw())
            assert received == BIG_BYTES, received

        process = psutil.Process(fake.pid)
        for what, transfer in (("upload", up), ("download", down)):
            before = process.memory_info().rss
            times = {
                server.pid: median_ms(lambda on=server, do=transfer: do(on), samples, warm_up=1)
                for server in (canned, fake)
            }
            grown = (process.memory_info().rss - before) / MIB
            floor, measured = (BIG_BYTES / 1e3 / times[each.pid] for each in (canned, fake))
            met = measured >= 0.6 * floor
            name, goal = f"100 MB {what}", "≥ 60 % of floor"
            yield Row(name, measured, "MB/s", floor, "bytes only counted", goal, met)
            name = f"server memory after 100 MB {what}s"
            yield Row(name, max(grown, 0.0), "MiB more", None, "", "< 32 MiB", grown < 32)


def terminal(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    with sandbox_on(fake) as sandbox, sandbox_on(canned) as replayed:
        handle = sandbox.pty.create(size=PtySize(rows=24, cols=80), timeout=60)
        pieces = iter(handle)
        sandbox.pty.send_stdin(handle.pid, b"cat > /dev/null; echo re''ady\n")
        shown = b""
        while b"cat" not in shown:
            shown += next(pieces)[2] or b""

        def echo() -> None:
            sandbox.pty.send_stdin(handle.pid, b"x")
            while b"x" not in (next(pieces)[2] or b""):
                pass

        measured = median_ms(echo, samples)
        floor = median_ms(lambda: replayed.pty.send_stdin(42, b"x"), samples)
        handle.kill()
    met = measured <= 5
    yield Row("PTY echo of one byte", measured, "ms", floor, "canned send alone", "≤ 5 ms", met)


def code(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    def run(on: Sandbox) -> Callable[[], object]:
        return lambda: on.run_code("1+1")

    with sandbox_on(canned) as replayed, sandbox_on(fake) as sandbox:
        floor, warm = medians_ms([run(replayed), run(sandbox)], samples)
    first = []
    for _ in range(9):
        with sandbox_on(fake) as sandbox:
            first.append(took_ms(run(sandbox)))
    met = warm - floor <= 5
    yield Row('`run_code("1+1")`, warm', warm, "ms", floor, "canned reply", "floor + 5 ms", met)
    cold, what = median(first), '`run_code("1+1")`, first after create'
    met = cold - floor <= 40
    yield Row(what, cold, "ms", floor, "canned reply", "floor + 40 ms", met)


_FIRST_ANSWER = """
import http.client, sys, time
from fake_e2b import FakeE2B  # what a program imports; the package alone imports nothing
from fake_e2b.server.host import ServerThread, listen
sys.path.insert(0, sys.argv[2])
import canned
start = time.perf_counter()
if sys.argv[1] == "fake":
    server = FakeE2B()
else:
    server = ServerThread(canned.app, canned.NoService(), listen("127.0.0.1", 0))
server.start()
connection = http.client.HTTPConnection("127.0.0.1", server.port)
connection.request("GET", "/health")
assert connection.getresponse().status == 200
print((time.perf_counter() - start) * 1000)
server.stop()
"""


def start(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    def first_answer(kind: str) -> float:
        command = [sys.executable, "-c", _FIRST_ANSWER, kind, str(Path(__file__).parent)]
        return float(subprocess.run(command, capture_output=True, check=True).stdout)

    floor, measured = (
        median(first_answer(kind) for _ in range(min(samples, 7))) for kind in ("canned", "fake")
    )
    met, what = measured <= 150, "first answer after `from fake_e2b import FakeE2B`"
    yield Row(what, measured, "ms", floor, "canned server", "≤ 150 ms", met)


def stop(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    def stop_with(streams: int) -> float:
        running = FakeE2B(set_environment=False).start()
        options = {"api_url": running.url, "sandbox_url": running.url, "api_key": running.api_key}
        sandbox = Sandbox.create("base", **options)
        open_streams = [
            sandbox.commands.run("cat", background=True, stdin=True, timeout=0)
            for _ in range(streams)
        ]
        took = took_ms(running.stop)
        for stream in open_streams:
            stream.disconnect()
        return took

    floor, measured = (median(stop_with(streams) for _ in range(3)) for streams in (0, 100))
    met, what = measured <= 200, "stop with 100 open streams"
    yield Row(what, measured, "ms", floor, "without streams", "≤ 200 ms", met)


def reset(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    async def nothing() -> None: ...

    with FakeE2B(set_environment=False) as running:
        thread = running._thread()
        floor = median_ms(lambda: thread.call(nothing), samples)
        measured = median_ms(running.reset, samples)
    what = "`reset()`, no sandbox"
    yield Row(what, measured, "ms", floor, "a call to its thread", "≤ 1 ms", measured <= 1)


DUE = 1_000


def advance(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    """Real `local` sandboxes, in which nothing has run yet: folders, and no process to wait for."""
    with FakeE2B(runtime="local", clock="manual", set_environment=False) as running:
        options = {"api_url": running.url, "sandbox_url": running.url, "api_key": running.api_key}

        def make(*, apart: bool) -> None:
            for number in range(DUE):
                Sandbox.create("base", timeout=60 + number * apart, **options)

        def move() -> None:
            assert len(running.clock.advance(seconds=60 + DUE)) == DUE

        taken: dict[str, list[float]] = {"reset": [], "together": [], "apart": []}
        for _ in range(min(samples, 5)):
            for name, times in taken.items():
                make(apart=name == "apart")
                times.append(took_ms(running.reset if name == "reset" else move))
    floor, together, apart = (median(times) for times in taken.values())
    floor_is, goal = "`reset()` of as many", "≤ 200 ms"
    what = "`clock.advance` over 1,000 sandboxes due at once, `local`"
    yield Row(what, together, "ms", floor, floor_is, goal, together <= 200)
    yield Row("the same, each at its own instant", apart, "ms", floor, floor_is, goal, apart <= 200)


def long_list(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    with (
        FakeE2B(set_environment=False) as running,
        httpx.Client(timeout=60, trust_env=False) as client,
    ):
        options = {"api_url": running.url, "sandbox_url": running.url, "api_key": running.api_key}
        sandbox_id = Sandbox.create("base", metadata={"n": "0"}, timeout=3600, **options).sandbox_id
        # Ten thousand real sandboxes are not what is measured: records alone are listed.
        store = running._fake().backend.sandboxes._store
        record = store.get(sandbox_id)
        assert record is not None

        async def fill() -> None:
            for number in range(9_999):
                another = replace(
                    record.sandbox,
                    sandbox_id=SandboxID(f"i{number:020d}"),
                    envd_access_token=None,
                    started_at_ns=record.sandbox.started_at_ns - number * 1_000_000,
                )
                store.add(replace(record, sandbox=another, machine=None))

        async def empty() -> None:
            for each in list(store.records.values()):
                if each.machine is None:
                    store.remove(each)

        running._thread().call(fill)
        headers = {"X-API-Key": running.api_key}

        def page(url: str, **query: str) -> httpx.Response:
            answer = client.get(f"{url}/v2/sandboxes", params=query, headers=headers)
            assert len(answer.json()) == 100
            return answer

        token = page(running.url).headers["X-Next-Token"]
        measured = median_ms(lambda: page(running.url, nextToken=token), samples)
        floor = median_ms(lambda: page(canned.url), samples)
        running._thread().call(empty)
    what = "list page of 100 out of 10,000"
    yield Row(what, measured, "ms", floor, "canned reply", "≤ 10 ms", measured <= 10)


Measure = Callable[[Server, Server, int], Iterator[Row]]
MEASURES: list[Measure] = [
    create, commands, small_files, big_files, terminal, code, start, stop, long_list, reset,
    advance,
]  # fmt: skip
"""In the order of the table."""
