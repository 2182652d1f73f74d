"""What there is to show of a test: taken while the fake is at it still."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest_plugin.watched import Watched
    from fake_e2b.testing import JournalRecord


@dataclass(frozen=True)
class Snapshot:
    """A test's stretch of the journal, and what was in force.

    Attributes:
        start_ns, now_ns: Instants of the fake's clock: of the test's begin, and when this was
            taken.
        sites: Where each request was made, by its number in the journal.
        rules, gates, sandboxes: One row of texts for each.
        findings: What was left or misused so far, a paragraph each.
    """

    seed: int
    start_ns: int
    now_ns: int
    clock: str
    records: Sequence[JournalRecord]
    sites: Mapping[int, str]
    rules: Sequence[Sequence[str]]
    gates: Sequence[Sequence[str]]
    sandboxes: Sequence[Sequence[str]]
    findings: Sequence[str]


RULE_COLUMNS = ("name", "effect", "at", "acted", "fitted")
GATE_COLUMNS = ("name", "requests that came", "held now", "open")
SANDBOX_COLUMNS = ("ID", "template", "state", "time left", "metadata")


def take(watched: Watched, findings: Sequence[str] = ()) -> Snapshot:
    """Look at everything now."""
    fake = watched.fake
    records = fake.journal.records(since=watched.since)
    now_ns = fake.clock.now_ns()
    sites = {record.sequence: watched.sites.site(record.sequence) for record in records}
    return Snapshot(
        seed=fake.seed,
        start_ns=watched.start_ns,
        now_ns=now_ns,
        clock="stands still" if fake.clock.frozen else "follows real time",
        records=records,
        sites={number: str(site) for number, site in sites.items() if site is not None},
        rules=[
            (
                fault.name,
                fault.rule.effect.kind,
                str(fault.rule.at),
                times(fault.hits),
                times(fault.seen),
            )
            for fault in fake.faults.list()
        ],
        gates=[
            (
                gate.name,
                str(len(gate.requests)),
                str(gate.held),
                "yes" if gate.is_open else "no",
            )
            for gate in fake.gates.list()
        ],
        sandboxes=[
            (
                sandbox.sandbox_id,
                sandbox.alias or sandbox.template_id,
                sandbox.state.value,
                f"{(sandbox.end_at_ns - now_ns) / 1e9:.0f} s"
                if sandbox.state.value == "running"
                else "",
                ", ".join(f"{key}={value}" for key, value in (sandbox.metadata or {}).items()),
            )
            for sandbox in fake.sandboxes()
        ],
        findings=findings,
    )


def times(number: int) -> str:
    """``"twice"``"""
    return {0: "never", 1: "once", 2: "twice"}.get(number, f"{number} times")
