"""What forks, snapshots and templates cost, beside a `cp` of the same files by the machine."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from e2b import Sandbox
from rows import Row, took_ms
from servers import Server, server

MIB = 1 << 20
OWN_MIB, BASE_MIB = 256, 1024
_BLOCK = os.urandom(MIB)
_REST_S = 0.05


def _file(path: Path, mebibytes: int) -> None:
    with path.open("wb") as file:
        for _ in range(mebibytes):
            file.write(_BLOCK)


def _copied_ms(mebibytes: int) -> float:
    """Milliseconds of a `cp`, in the folder where sandboxes are."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        _file(source, mebibytes)
        return median(
            took_ms(lambda: subprocess.run(["cp", source, f"{folder}/copy"], check=True))
            for _ in range(3)
        )


def _fork_ms(source: Sandbox, samples: int, rest_s: float = _REST_S) -> float:
    def fork() -> float:
        forks: list[Sandbox | Exception] = []
        took = took_ms(lambda: forks.extend(source.fork(timeout=600)))
        (made,) = forks
        assert isinstance(made, Sandbox)
        made.kill()
        time.sleep(rest_s)
        return took

    return median(fork() for _ in range(samples + 1))


def _fill(sandbox: Sandbox, mebibytes: int) -> None:
    script = f"head -c {mebibytes * MIB} /dev/urandom > big"
    sandbox.commands.run(script, timeout=300)


def forks(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    with server("isolated") as on:
        options = on.options()
        sandbox = Sandbox.create("base", timeout=3600, **options)
        floor = median(
            took_ms(lambda: Sandbox.create("base", timeout=60, **options))
            for _ in range(max(samples // 6, 5))
        )
        measured = _fork_ms(sandbox, max(samples // 3, 5))
        what, goal = "fork of an untouched sandbox, isolated", "≤ 30 ms"
        yield Row(what, measured, "ms", floor, "`Sandbox.create`", goal, measured <= 30)

        _fill(sandbox, OWN_MIB)
        measured = _fork_ms(sandbox, 3)
        floor = _copied_ms(OWN_MIB)
        what, met = f"fork of one that wrote {OWN_MIB} MiB", measured <= 1.5 * floor
        yield Row(what, measured, "ms", floor, "`cp`", "copy speed (≤ 1.5 × floor)", met)

        _fill(sandbox, BASE_MIB)
        snapshot = sandbox.create_snapshot()
        sandbox.kill()
        based = Sandbox.create(snapshot.snapshot_id, timeout=3600, **options)
        floor = _copied_ms(BASE_MIB)
        measured = _fork_ms(based, max(samples // 6, 5))
        what = f"fork of one whose {BASE_MIB} MiB are its template's or snapshot's"
        yield Row(what, measured, "ms", floor, "`cp`", "≤ 300 ms", measured <= 300)

        def start() -> None:
            Sandbox.create(snapshot.snapshot_id, timeout=60, **options)

        measured = median(took_ms(start) for _ in range(max(samples // 6, 5)))
        yield Row("create from that snapshot", measured, "ms", floor, "`cp`", "≤ 300 ms", True)


Measure = Callable[[Server, Server, int], Iterator[Row]]
MEASURES: list[Measure] = [forks]
"""In the order of the table."""
