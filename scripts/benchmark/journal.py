"""The journal: what a hundred thousand records take, and how long one waits for an answer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from rows import Row
from servers import Server

RECORDS = 100_000
_FILL = """
import gc, json, os, sys, time
from statistics import median

from fake_e2b.backend.journal import Journal
from fake_e2b.domain.clock import SECOND_NS, MovableClock
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.journal import RecordKind, StreamSummary
from fake_e2b.domain.operations import Plane


class Counting:
    def __init__(self):
        self.ns = 1_800_000_000 * SECOND_NS

    def now_ns(self):
        self.ns += 1_234_567
        return self.ns


def resident():
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


CONTROL = [
    (b"accept", b"*/*"), (b"accept-encoding", b"gzip, deflate"), (b"lang", b"python"),
    (b"lang_version", b"3.11.7"), (b"package_version", b"2.63.0"), (b"publisher", b"e2b"),
    (b"sdk_runtime", b"python"), (b"system", b"Linux"),
    (b"user-agent", b"e2b-python-sdk/2.63.0"), (b"x-api-key", b"e2b_" + b"0f" * 20),
    (b"content-type", b"application/json"), (b"host", b"127.0.0.1:41039"),
]
RPC = [
    (b"keepalive-ping-interval", b"50"), (b"user-agent", b"connectrpc/0.12.1"),
    (b"connect-protocol-version", b"1"), (b"connect-accept-encoding", b"identity"),
    (b"content-type", b"application/connect+json"), (b"connect-timeout-ms", b"60000"),
    (b"e2b-sandbox-port", b"49983"), (b"accept", b"*/*"), (b"host", b"127.0.0.1:41039"),
]
FILES = [
    (b"accept", b"*/*"), (b"user-agent", b"e2b-python-sdk/2.63.0"), (b"host", b"127.0.0.1:41039"),
    (b"e2b-sandbox-port", b"49983"),
]
clock = Counting()
journal = Journal(MovableClock(clock, frozen=False), clock)
ids = IdSource(7)


def copied(text):
    return text.encode().decode()


def ask(method, path, headers, body, status, plane, answer=b"", sandbox_id=None, stream=None):
    # Fresh objects, as a server's parser makes them.
    raw = [(bytes(bytearray(n)), bytes(bytearray(v))) for n, v in headers]
    record = journal.open(copied(method), copied(path), raw, f"127.0.0.1:{40000 + clock.ns % 97}")
    journal.identify(record, plane, sandbox_id=sandbox_id and copied(sandbox_id))
    record.received = len(body)
    if body:
        journal.keep_body(record, body)
    record.status = status
    record.sent = len(answer) + 300
    record.stream = stream
    journal.close(record, answer=answer, whole=True)


def life(number):
    sandbox_id = ids.sandbox_id()
    token = ids.envd_access_token(sandbox_id).encode()
    journal.secrets.add(token.decode())
    metadata = {"userId": str(number), "team": "journal"}
    journal.metadata.add(sandbox_id, metadata)
    body = {"templateID": "base", "timeout": 300, "metadata": metadata}
    answer = {"templateID": "rki5dems9wqfm4r03t7g", "sandboxID": sandbox_id, "alias": "base",
              "clientID": "6532622b", "envdVersion": "0.6.13", "envdAccessToken": token.decode()}
    body = json.dumps(body).encode()
    length = (b"content-length", str(len(body)).encode())
    ask("POST", "/v2/sandboxes", [*CONTROL, length], body, 201, Plane.CONTROL,
        json.dumps(answer).encode())
    journal.note("created", sandbox_id=sandbox_id,
                 details={"templateID": "rki5dems9wqfm4r03t7g", "metadata": metadata})
    inside = [(b"x-access-token", token), (b"e2b-sandbox-id", sandbox_id.encode())]
    for command in ("echo hi", f"python3 job.py --number {number}"):
        message = {"process": {"cmd": "/bin/bash", "args": ["-l", "-c", command]}, "stdin": False}
        stream = StreamSummary()
        stream.wrote("start", 30)
        stream.wrote("data", 60)
        stream.add_output("stdout", f"result of {number}\\n".encode())
        stream.wrote("end", 60)
        payload = json.dumps(message).encode()
        ask("POST", "/process.Process/Start", [*RPC, *inside],
            b"\\0" + len(payload).to_bytes(4, "big") + payload, 200, Plane.ENVD,
            sandbox_id=sandbox_id, stream=stream)
        for operation in ("processStarted", "processEnded"):
            journal.note(operation, kind=RecordKind.PROCESS, sandbox_id=sandbox_id,
                         details={"pid": 1000 + number, "command": command, "exitCode": 0})
    ask("GET", f"/files?path=out-{number}.txt", [*FILES, *inside], b"", 200, Plane.ENVD,
        sandbox_id=sandbox_id)
    ask("DELETE", f"/sandboxes/{sandbox_id}", CONTROL, b"", 204, Plane.CONTROL)
    journal.note("killed", sandbox_id=sandbox_id)
    return sandbox_id


life(0)
journal.clear()
gc.collect()
before = resident()
begun = time.thread_time()
number = last = 0
while journal.mark() - 11 < int(sys.argv[1]):
    number += 1
    last = life(number)
took = time.thread_time() - begun
kept = journal.mark() - journal.oldest
gc.collect()
grown = resident() - before


def query_ms(**conditions):
    times = []
    for _ in range(15):
        # Of the processor: it waits for nothing, and others' work is not its own.
        begun = time.thread_time()
        found = journal.records(**conditions)
        times.append((time.thread_time() - begun) * 1000)
    assert found, conditions
    return median(times)


print(json.dumps({
    "kept": kept, "bytes": grown, "estimate": journal.size, "record_us": took / number / 11 * 1e6,
    "queries": {str(each): query_ms(**each) for each in (
        {}, {"operation": "createSandbox"}, {"sandbox_id": last}, {"status": 201},
        {"operation": "Process.*", "last": 20}, {"metadata": {"userId": str(number)}},
        {"command": f"--number {number}"}, {"path": f"out-{number}."}, {"text": f"of {number}"},
    )},
}))
"""


def filled() -> dict[str, object]:
    """What a process measured that filled a journal with the lives of sandboxes."""
    command = [sys.executable, "-c", _FILL, str(RECORDS)]
    done = subprocess.run(command, capture_output=True, check=True, cwd=Path(__file__).parents[2])
    found: dict[str, object] = json.loads(done.stdout)
    return found


def full(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    found = filled()
    print(json.dumps(found), file=sys.stderr)
    kept, megabytes = found["kept"], float(str(found["bytes"])) / 1e6
    what, met = "journal of 100,000 records: memory", kept == RECORDS and megabytes <= 60
    yield Row(what, megabytes, "MB", None, "", "≤ 60 MB", met)
    queries = found["queries"]
    assert isinstance(queries, dict)
    slowest = max(queries.values())
    what = "the slowest of its queries, processor time"
    yield Row(what, slowest, "ms", None, "", "≤ 50 ms", slowest <= 50)


MEASURES: list[Callable[[Server, Server, int], Iterator[Row]]] = [full]
