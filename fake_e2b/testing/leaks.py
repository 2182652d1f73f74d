"""What a test left behind, which on the real service would go on costing, and what it misused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fake_e2b.backend import findings
from fake_e2b.domain.finding import Finding, FindingKind
from fake_e2b.domain.ids import SandboxID
from fake_e2b.domain.sandbox import State

if TYPE_CHECKING:
    from fake_e2b.server.app import Fake
    from fake_e2b.testing.fake import FakeE2B


class FakeE2BLeakWarning(UserWarning):
    """A test ended and left something behind."""


class FakeE2BMisuseWarning(UserWarning):
    """A test did what is wrong on the real service too."""


def running_sandboxes(fake: FakeE2B) -> Sequence[SandboxID]:
    """The IDs of the sandboxes that run now, oldest first."""
    return [sandbox.sandbox_id for sandbox in fake.sandboxes() if sandbox.state is State.RUNNING]


def look_for_findings(fake: Fake, since: int) -> Sequence[Finding]:
    """All findings; called in the server's thread, where nothing changes meanwhile.

    Args:
        since: The first record of the journal that counts.
    """
    records = fake.journal.records(since=since)
    running = [
        each
        for each in fake.backend.sandboxes.records()
        if each.sandbox.state is State.RUNNING
        and each.sandbox.sandbox_id not in fake.seeding.standing
    ]
    watchers = {
        each.sandbox.sandbox_id: each.machine.envd.watcher_count
        for each in running
        if each.machine is not None and each.machine.envd.watcher_count
    }
    return [
        *_gates(fake),
        *findings.leaks(records, [each.sandbox.sandbox_id for each in running], watchers),
        *findings.misuse(records),
    ]


def _gates(fake: Fake) -> Sequence[Finding]:
    found = []
    for name, gate in fake.steering.gates:
        if not gate.is_open:
            waiting = {0: "nobody waits", 1: "a request waits"}.get(
                gate.held, f"{gate.held} requests wait"
            )
            text = f"never released the gate {name!r}: {waiting} at it"
            found.append(Finding(FindingKind.GATE, text))
    return found
