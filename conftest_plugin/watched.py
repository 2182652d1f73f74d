"""One test on a fake: where its stretch of the journal begins, and what to say at its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from conftest_plugin.settings import for_test

if TYPE_CHECKING:
    from fake_e2b.testing import FakeE2B, Finding

_LOOKS = 20
_LOOK_AGAIN_S = 0.01
_ADVICE = {
    "sandbox": "Kill what it creates, take the fixture e2b_sandbox, or allow it with "
    "--fake-e2b-leaks=ignore or @pytest.mark.fake_e2b(leaks='ignore')",
    "gate": "Use it as a context manager; it was released now",
}


class Watched:
    """A test that has a fake.

    Args:
        fake: Freshly reset; what is recorded from now on is this test's.
        marked: What its marker says.
        keep: Called while everything is there still, to keep what reports show.
    """

    def __init__(
        self,
        item: pytest.Item,
        fake: FakeE2B,
        marked: Mapping[str, Any],
        keep: Callable[[Watched], None],
    ) -> None:
        self.item = item
        self.fake = fake
        self.since = fake.journal.mark()
        self.start_ns = fake.clock.now_ns()
        self.kept: tuple[str, str] | None = None
        """What `report.sections` shows once the fake goes on with the next test."""
        self.keep = keep
        self._marked = marked
        self._gates: list[Finding] = []

    def setting(self, name: str) -> Any:
        """What holds for this test."""
        return for_test(self.item.config, self._marked, name)

    # -- the end of the test ----------------------------------------------------------------------

    def release_gates(self) -> None:
        """Let go whatever is held still: what comes after the test must not hang at its gates."""
        for finding in self.fake.leaks(since=self.since):
            if finding.kind == "gate":
                self._gates.append(finding)
        for gate in self.fake.gates.list():
            gate.release()

    def idle_faults(self) -> Sequence[str]:
        """Names of the rules that never acted, if that is to fail the test."""
        if not self.setting("strict_faults"):
            return ()
        return [fault.name for fault in self.fake.faults.unfired()]

    def findings(self) -> Sequence[Finding]:
        """Everything that the test left behind or did wrong."""
        found = self.fake.leaks(since=self.since)
        for _ in range(_LOOKS):
            if not any(finding.kind == "stream" for finding in found):
                break
            # Clients that have just closed a stream are heard a moment later.
            time.sleep(_LOOK_AGAIN_S)
            found = self.fake.leaks(since=self.since)
        return [*self._gates, *found]

    def close(self) -> Sequence[str]:
        """The test is over: warn of what is to be warned of, end what it left.

        Returns:
            What is an error, as paragraphs.
        """
        from fake_e2b.testing import (  # only where a test asks, see settings.options_of_marker
            FakeE2BLeakWarning,
            FakeE2BMisuseWarning,
        )

        findings = self.findings()
        self.keep(self)
        if any(finding.is_leak for finding in findings):
            self.fake.reset()
        errors = []
        for finding in findings:
            policy = self.setting("leaks" if finding.is_leak else "misuse")
            word = policy.word(finding.kind.value)
            if word == "error":
                errors.append(_said(finding))
            elif word == "warn":
                category = FakeE2BLeakWarning if finding.is_leak else FakeE2BMisuseWarning
                self.item.warn(category(_said(finding)))
        return errors


def _said(finding: Finding) -> str:
    """A finding as a paragraph: what, made where, and what to do."""
    lines = [f"the test {finding.text}" if finding.is_leak else finding.text]
    lines += [f"    {line}" for line in finding.details]
    advice = _ADVICE.get(finding.kind.value)
    if advice:
        lines.append(f"    {advice}")
    return "\n".join(lines)


WATCHED = pytest.StashKey[Watched]()
