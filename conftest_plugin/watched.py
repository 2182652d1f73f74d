"""One test on a fake: where its stretch of the journal begins, and what to say at its end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from conftest_plugin.expected import expected_lines
from conftest_plugin.settings import for_test
from conftest_plugin.snapshot import Snapshot, take

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
    """

    def __init__(
        self,
        item: pytest.Item,
        fake: FakeE2B,
        marked: Mapping[str, Any],
    ) -> None:
        from fake_e2b.testing import CallSites  # only where a test asks, see options_of_marker

        self.item = item
        self.fake = fake
        self.since = fake.journal.mark()
        self.start_ns = fake.clock.now_ns()
        self.sites = CallSites(fake, item.path, item.config.rootpath)
        self.failures: dict[str, str] = {}
        """What went wrong, by when, for its page."""
        self._kept: Snapshot | None = None
        self._marked = marked
        self._gates: list[Finding] = []
        self._expected: frozenset[int] | None = None

    def setting(self, name: str) -> Any:
        """What holds for this test."""
        return for_test(self.item.config, self._marked, name)

    def snapshot(self) -> Snapshot:
        """What there is to show: now, or as it was at the test's end."""
        if self._kept is not None:
            return self._kept
        found = [*self._gates, *self.fake.leaks(since=self.since)]
        # What is left is not left before the fixtures have ended.
        misused = [each for each in found if not each.is_leak or each.kind == "gate"]
        return take(self, [self.said(each) for each in misused if not self._is_expected(each)])

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
        from fake_e2b.testing import FakeE2BLeakWarning, FakeE2BMisuseWarning  # see __init__

        findings = self.findings()
        said = [self.said(each) for each in findings if not self._is_expected(each)]
        self._kept = take(self, said)
        self.sites.close()
        if any(finding.is_leak for finding in findings):
            self.fake.reset()
        errors = []
        for finding in findings:
            policy = self.setting("leaks" if finding.is_leak else "misuse")
            word = policy.word(finding.kind.value)
            if word == "ignore" or self._is_expected(finding):
                continue
            if word == "error":
                errors.append(self.said(finding))
            else:
                category = FakeE2BLeakWarning if finding.is_leak else FakeE2BMisuseWarning
                self.item.warn(category(self.said(finding)))
        return errors

    def made_at(self, finding: Finding) -> str:
        """Where the calls were made that it is about; empty where it is about none."""
        found = dict.fromkeys(
            str(self.sites.site(call) or "out of sight") for call in finding.calls
        )
        return " or ".join(found)

    def said(self, finding: Finding) -> str:
        """A finding as a paragraph: what, made where, and what to do."""
        lines = [f"the test {finding.text}" if finding.is_leak else finding.text]
        made = self.made_at(finding)
        if made:
            lines.append(f"    called from {made}")
        lines += [f"    {line}" for line in finding.details]
        advice = _ADVICE.get(finding.kind.value)
        if advice:
            lines.append(f"    {advice}")
        return "\n".join(lines)

    def _is_expected(self, finding: Finding) -> bool:
        """Whether the test makes the call to see it refused: inside of `pytest.raises`."""
        if finding.is_leak or finding.kind == "failure" or not finding.calls:
            return False
        if self._expected is None:
            self._expected = expected_lines(self.item.path)
        for call in finding.calls:
            site = self.sites.site(call)
            if site is None or not site.lines:
                return False
            if not all(self._expected.intersection(line.in_test) for line in site.lines):
                return False
        return True


WATCHED = pytest.StashKey[Watched]()
