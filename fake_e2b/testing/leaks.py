"""Sandboxes that a test left running: on the real service they would go on costing money."""

from __future__ import annotations

from collections.abc import Sequence

from fake_e2b.domain.ids import SandboxID
from fake_e2b.domain.sandbox import State
from fake_e2b.testing.fake import FakeE2B


class FakeE2BLeakWarning(UserWarning):
    """A test ended and left a sandbox running."""


def running_sandboxes(fake: FakeE2B) -> Sequence[SandboxID]:
    """The IDs of the sandboxes that run now, oldest first."""
    return [sandbox.sandbox_id for sandbox in fake.sandboxes() if sandbox.state is State.RUNNING]
