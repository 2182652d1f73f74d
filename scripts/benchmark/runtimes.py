"""What isolation costs: the `isolated` runtime beside `local`, taken in turn in the same run."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from statistics import median

import psutil
from e2b import Sandbox
from rows import Row, medians_ms, took_ms
from servers import NoServerError, Server, server

MIB = 1024 * 1024
AT_ONCE = 500
_REFILL_S = 0.05
"""Long enough for the guest that a create took to be replaced."""


def creates(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    with ExitStack() as stack:
        isolated, unpooled, local = (
            stack.enter_context(server(kind)) for kind in ("isolated", "unpooled", "local")
        )

        def rested(on: Server) -> float:
            time.sleep(_REFILL_S)
            sandbox: Sandbox | None = None

            def create() -> None:
                nonlocal sandbox
                sandbox = Sandbox.create("base", timeout=600, **on.options())

            took = took_ms(create)
            assert sandbox is not None
            sandbox.kill()
            return took

        def in_a_row(on: Server, number: int) -> list[float]:
            made: list[Sandbox] = []
            options = on.options()

            def create() -> None:
                made.append(Sandbox.create("base", timeout=600, **options))

            times = [took_ms(create) for _ in range(number)]
            for sandbox in made:
                sandbox.kill()
            return times

        warm: dict[int, list[float]] = {}
        rows: dict[tuple[int, int], list[float]] = {}
        for each in (isolated, unpooled, local):
            rested(each)
        for _ in range(samples):
            for each in (isolated, unpooled, local):
                warm.setdefault(each.pid, []).append(rested(each))
        for number in (10, 50):
            for _ in range(3):
                for each in (isolated, local):
                    time.sleep(1)  # a store that is full, as after a quiet moment
                    rows.setdefault((each.pid, number), []).extend(in_a_row(each, number))
        floor, measured = median(warm[local.pid]), median(warm[isolated.pid])
        what, met = "`Sandbox.create`, isolated, a guest at hand", measured <= 1.5 * floor
        yield Row(what, measured, "ms", floor, "`local`", "≤ 1.5 × `local`", met)
        measured = median(warm[unpooled.pid])
        what = "the same, no guest at hand"
        yield Row(what, measured, "ms", floor, "`local`", "≤ 15 ms", measured <= 15)
        for number in (10, 50):
            floor, measured = (median(rows[each.pid, number]) for each in (local, isolated))
            what = f"the same, {number} in a row"
            yield Row(what, measured, "ms", floor, "`local`", "–", True)


_FIRST_SANDBOX = """
import http.client, json, sys, time
from fake_e2b import FakeE2B
from fake_e2b.domain.errors import RuntimeUnavailableError
start = time.perf_counter()
try:
    server = FakeE2B(runtime=sys.argv[1], set_environment=False).start()
except RuntimeUnavailableError as refusal:
    sys.exit(str(refusal))
connection = http.client.HTTPConnection("127.0.0.1", server.port)
headers = {"X-API-Key": server.api_key, "Content-Type": "application/json"}
connection.request("POST", "/sandboxes", json.dumps({"templateID": "base"}), headers)
assert connection.getresponse().status == 201
print((time.perf_counter() - start) * 1000)
server.stop()
"""


def first(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    def first_sandbox(runtime: str) -> float:
        command = [sys.executable, "-c", _FIRST_SANDBOX, runtime]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoServerError(done.stderr.strip())
        return float(done.stdout)

    taken: dict[str, list[float]] = {"isolated": [], "local": []}
    for _ in range(min(samples, 9)):
        for runtime, times in taken.items():
            times.append(first_sandbox(runtime))
    floor, measured = median(taken["local"]), median(taken["isolated"])
    what = "first sandbox, isolated, server and helper started"
    yield Row(what, measured, "ms", floor, "`local`", "≤ 100 ms", measured <= 100)


def commands(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    with server("isolated") as isolated, server("local") as local:

        def run(on: Server) -> Callable[[], object]:
            sandbox = Sandbox.create("base", timeout=600, **on.options())
            return lambda: sandbox.commands.run("echo hi")

        floor, measured = medians_ms([run(local), run(isolated)], samples)
    what, met = '`commands.run("echo hi")`, isolated', measured <= 1.2 * floor
    yield Row(what, measured, "ms", floor, "`local`", "≤ 1.2 × `local`", met)


def pauses(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    with server("isolated") as isolated:
        empty = Sandbox.create("base", timeout=600, **isolated.options())
        busy = Sandbox.create("base", timeout=600, **isolated.options())
        busy.commands.run("for i in $(seq 50); do sleep 1000 & done; wait", background=True)
        counting = "ps -C sleep --no-headers | wc -l"
        while int(busy.commands.run(counting).stdout) < 50:
            pass
        taken: dict[str, list[float]] = {"pause": [], "resume": []}
        floors: dict[str, list[float]] = {"pause": [], "resume": []}
        for _ in range(max(samples // 3, 5)):
            for sandbox, times in ((empty, floors), (busy, taken)):
                times["pause"].append(took_ms(sandbox.pause))
                times["resume"].append(took_ms(sandbox.connect))
        assert int(busy.commands.run(counting).stdout) == 50
    for what, times_ms in taken.items():
        measured, floor = median(times_ms), median(floors[what])
        name, met = f"{what} with 50 processes", measured <= 20
        yield Row(name, measured, "ms", floor, "without any", "≤ 20 ms", met)


def crowd(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    with server("isolated") as isolated, server("local") as local:
        ours, floor = Crowd(isolated), Crowd(local)
    what = f"{AT_ONCE} sandboxes at once, isolated: memory of one, idle"
    met = ours.idle_mib <= 3
    yield Row(what, ours.idle_mib, "MiB", floor.idle_mib, "`local`", "≤ 3 MiB", met)
    what = "the same after a command in each"
    met = ours.used_mib <= 3
    yield Row(what, ours.used_mib, "MiB", floor.used_mib, "`local`", "≤ 3 MiB", met)
    for what, mine, floors in (
        ("to make them all", ours.create_s, floor.create_s),
        ("for an answer of each", ours.run_s, floor.run_s),
        ("to kill them all", ours.kill_s, floor.kill_s),
    ):
        yield Row(f"the same, {what}", mine, "s", floors, "`local`", "–", True)
    what = "the same, processes and descriptors afterwards"
    left = float(ours.left)
    yield Row(what, left, "left", None, "", "none", left == 0)


class Crowd:
    """Fills a server with sandboxes, has each answer, kills them, and measures on the way."""

    def __init__(self, on: Server) -> None:
        options = on.options()
        with_command = Sandbox.create("base", timeout=600, **options)
        with_command.commands.run("true")  # what the first one starts is no part of each
        with_command.kill()
        before, things = _memory(on.pid), _things(on.pid)
        made: list[Sandbox] = []

        def create() -> None:
            made.extend(Sandbox.create("base", timeout=3600, **options) for _ in range(AT_ONCE))

        def run() -> None:
            for number, sandbox in enumerate(made):
                said = sandbox.commands.run(f"echo {number}").stdout
                assert said == f"{number}\n", said

        def kill() -> None:
            assert all([sandbox.kill() for sandbox in made])

        self.create_s = took_ms(create) / 1000
        time.sleep(1)  # idle is what is measured
        self.idle_mib = max(_memory(on.pid) - before, 0) / AT_ONCE / MIB
        self.run_s = took_ms(run) / 1000
        time.sleep(1)
        self.used_mib = max(_memory(on.pid) - before, 0) / AT_ONCE / MIB
        self.kill_s = took_ms(kill) / 1000
        self.left = max(_things(on.pid) - things, 0)


def _memory(pid: int) -> int:
    """Proportional set size of a process and all below it."""
    root = psutil.Process(pid)
    total = 0
    for process in [root, *root.children(recursive=True)]:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total


def _things(pid: int) -> int:
    """How many processes a server has below it, and descriptors, once that stays the same.

    Its clients' connections do not count.
    """
    root, last, same = psutil.Process(pid), -1, 0
    for _ in range(100):
        connections = len(root.net_connections("tcp"))
        now = len(root.children(recursive=True)) + root.num_fds() - connections
        same = same + 1 if now == last else 0
        if same == 20:
            break
        last = now
        time.sleep(0.1)
    return last


MEASURES: list[Callable[[Server, Server, int], Iterator[Row]]] = [
    creates, first, commands, pauses, crowd,
]  # fmt: skip
"""In the order of the table."""
