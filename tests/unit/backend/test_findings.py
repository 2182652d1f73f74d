"""What is misuse and what is not, decided from records alone."""

from __future__ import annotations

import pytest

from fake_e2b.backend.findings import leaks, misuse
from fake_e2b.backend.journal import Journal
from fake_e2b.domain.finding import FindingKind
from fake_e2b.domain.ids import SandboxID
from fake_e2b.domain.journal import RecordKind, StreamSummary
from fake_e2b.domain.operations import Plane
from tests.helpers.clock import ManualClock

START = "/process.Process/Start"
SECOND = 1_000_000_000
BOX = SandboxID("i0")


class Told:
    """A journal, and two clocks that go alike until the fake's is moved."""

    def __init__(self) -> None:
        self.clock, self.real = ManualClock(0), ManualClock(0)
        self.journal = Journal(self.clock, self.real)

    def pass_time(self, seconds: float, *, moved: bool = False) -> None:
        for clock in (self.clock,) if moved else (self.clock, self.real):
            clock.move_to(clock.now_ns() + round(seconds * SECOND))

    def ask(self, method, path, status=200, *, plane=Plane.ENVD, timeout_ms=None, answer=b""):
        headers = [] if timeout_ms is None else [(b"connect-timeout-ms", str(timeout_ms).encode())]
        record = self.journal.open(method, path, headers, "")
        inside = plane is not Plane.CONTROL
        self.journal.identify(record, plane, sandbox_id=BOX if inside else None)
        record.status = status
        return record

    def end(self, record, answer=b""):
        self.journal.close(record, answer=answer)
        return record

    def found(self) -> list[FindingKind]:
        return [finding.kind for finding in misuse(self.journal.records())]


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_command_that_lasted_as_long_as_its_timeout_was_cut(told: Told) -> None:
    record = told.ask("POST", START, timeout_ms=500)
    told.pass_time(0.495)  # the client's own clock began a little earlier
    told.end(record)
    assert told.found() == [FindingKind.SHORT_TIMEOUT]


@pytest.mark.parametrize("timeout_ms", [None, 0, 60_000, "1e3"])
def test_no_timeout_or_a_longer_one_cuts_nothing(told: Told, timeout_ms: object) -> None:
    record = told.ask("POST", START, timeout_ms=timeout_ms)
    told.pass_time(0.5)
    told.end(record)
    assert told.found() == []


def test_a_command_that_ended_in_the_last_moment_was_not_cut(told: Told) -> None:
    record = told.ask("POST", START, timeout_ms=500)
    record.stream = StreamSummary()
    record.stream.wrote("end", 3)
    told.pass_time(0.5)
    told.end(record)
    assert told.found() == []


def test_the_end_of_a_sandbox_counts_while_real_time_passes(told: Told) -> None:
    told.end(told.ask("POST", START))
    record = told.ask("POST", START)
    told.pass_time(5)
    told.journal.note("expired", sandbox_id=BOX)
    told.end(record)
    told.pass_time(5)
    told.end(told.ask("POST", START))
    assert told.found() == [FindingKind.SHORT_TIMEOUT]


def test_a_clock_that_the_test_moves_does_not(told: Told) -> None:
    record = told.ask("POST", START)
    told.pass_time(300, moved=True)
    told.journal.note("expired", sandbox_id=BOX)
    told.end(record)
    assert told.found() == []


def test_only_what_comes_after_a_kill_uses_a_killed_sandbox(told: Told) -> None:
    killing = told.ask("DELETE", "/sandboxes/i0", 204, plane=Plane.CONTROL)
    meanwhile = told.ask("POST", START, 502)
    told.pass_time(1)
    told.end(killing)
    told.end(meanwhile)
    told.pass_time(1)
    told.end(told.ask("GET", "/health", 502))
    told.end(told.ask("POST", "/sandboxes/i0/connect", 404, plane=Plane.CONTROL))
    assert told.found() == []
    told.end(told.ask("POST", "/sandboxes/i0/timeout", 404, plane=Plane.CONTROL))
    assert told.found() == [FindingKind.KILLED_SANDBOX]


def test_what_a_rule_answered_is_no_misuse(told: Told) -> None:
    for path in ("/teams", "/no-such"):
        record = told.ask("GET", path, 501 if path == "/teams" else 404, plane=Plane.CONTROL)
        told.end(record, b"{}")
    assert told.found() == [FindingKind.GAP, FindingKind.UNKNOWN_OPERATION]
    for number in (0, 1):
        hit = {"effect": "status", "request": number}
        told.journal.note("faultHit", kind=RecordKind.FAULT, details=hit)
    assert told.found() == []


def test_a_failure_comes_with_its_traceback(told: Told) -> None:
    record = told.ask("POST", START, 500)
    record.traceback = "Traceback:\n  somewhere\nKeyError: 'x'\n"
    told.end(record)
    (finding,) = misuse(told.journal.records())
    assert finding.text.endswith("KeyError: 'x'")
    assert finding.details == ["Traceback:", "  somewhere", "KeyError: 'x'"]


def test_what_is_open_counts_in_sandboxes_that_run(told: Told) -> None:
    told.ask("POST", START)
    told.end(told.ask("POST", START))
    told.end(told.ask("POST", "/filesystem.Filesystem/CreateWatcher"))
    records = told.journal.records()
    assert list(leaks(records, [], {})) == []
    sandbox, stream, watchers = leaks(records, [BOX], {BOX: 2})
    assert (sandbox.kind, sandbox.calls) == (FindingKind.SANDBOX, [])
    assert (stream.kind, stream.calls) == (FindingKind.STREAM, (0,))
    assert watchers.text == "left 2 watchers collecting in i0"
