"""`fake.journal.stream_to`: a file of JSON lines that is true at every moment."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from e2b_code_interpreter import Sandbox

from fake_e2b import FakeE2B, UsageError
from fake_e2b.backend.journal import Journal
from fake_e2b.testing.journal_file import JournalFile
from tests.helpers.clock import ManualClock
from tests.helpers.waiting import wait_until


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def written(path: Path, operation: str) -> Callable[[], list[dict[str, Any]]]:
    return lambda: [line for line in lines(path) if line.get("operation") == operation]


def test_a_record_is_in_the_file_while_the_fake_runs(fake: FakeE2B, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text("of an earlier run\n")
    with fake.journal.stream_to(path) as file:
        sandbox = Sandbox.create()
        [create] = wait_until(written(path, "createSandbox"))
        assert create["sandboxID"] == sandbox.sandbox_id
        assert create["status"] == 201
        process = sandbox.commands.run("echo hi; cat", background=True, stdin=True)
        wait_until(written(path, "processStarted"))
        assert written(path, "Process.Start")() == []
        process.kill()
        wait_until(written(path, "Process.Start"))
    assert file.dropped == 0
    sandbox.kill()
    assert written(path, "killSandbox")() == []
    assert fake.api_key not in path.read_text()


def test_what_is_not_complete_is_written_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    clock = ManualClock(0)
    journal = Journal(clock, clock)
    file = JournalFile(journal, path)
    journal.open("GET", "/hangs", (), "")
    file.close()
    file.close()
    [line] = lines(path)
    assert (line["path"], line["durationMs"]) == ("/hangs", None)


def test_it_ends_with_the_fake(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    threads = threading.active_count()
    with FakeE2B(runtime="local") as fake:
        fake.journal.stream_to(path)
        Sandbox.create()
        fake.reset()
        Sandbox.create()
    assert threading.active_count() == threads
    assert len(written(path, "createSandbox")()) == 2
    assert len(written(path, "killed")()) == 2  # by the reset, and by the stop


def test_a_slow_reader_holds_nobody_up_and_is_told_what_it_misses(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    clock = ManualClock(0)
    journal = Journal(clock, clock)
    file = JournalFile(journal, pipe, waiting=50)
    for number in range(2_000):  # far more than a pipe holds
        journal.note("step", detail=f"{number} " + "x" * 200)
    assert file.dropped > 0
    os.set_blocking(reader, True)
    with os.fdopen(reader) as stream:
        shown: list[dict[str, Any]] = []
        reading = threading.Thread(target=lambda: shown.extend(map(json.loads, stream)))
        reading.start()
        wait_until(lambda: file._queue.empty())
        journal.note("last")
        file.close()
        reading.join(20)
    missing = sum(line["count"] for line in shown if line["kind"] == "dropped")
    assert missing == file.dropped
    assert len(shown) - sum(line["kind"] == "dropped" for line in shown) + missing == 2_001
    assert shown[-1]["operation"] == "last" or shown[-1]["kind"] == "dropped"


def test_a_full_disk_ends_the_file_and_nothing_else(fake: FakeE2B) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    file = fake.journal.stream_to("/dev/full")
    sandbox = Sandbox.create()
    wait_until(lambda: file.error is not None)
    assert sandbox.is_running()
    file.close()


@pytest.mark.parametrize(
    ("path", "says"),
    [("missing/journal", "No such file"), (".", "Is a directory"), ("pipe", "nobody reads")],
)
def test_a_path_that_cannot_be_written_is_refused(
    fake: FakeE2B, tmp_path: Path, path: str, says: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match=says):
        fake.journal.stream_to(tmp_path / path)
