"""Sandboxes that a test left running: on the real service they would go on costing money."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.request import ProxyHandler, build_opener

from fake_e2b.testing.fake import FakeE2B

_MAKERS = ("createSandbox", "forkSandbox", "connectSandbox", "resumeSandbox")
_TIMEOUT_S = 30


class FakeE2BLeakWarning(UserWarning):
    """A test ended and left a sandbox running."""


def running_sandboxes(fake: FakeE2B, *, since: int = 0) -> Sequence[str]:
    """The IDs of the sandboxes that run now, oldest first.

    Args:
        since: A mark of the journal before which none ran; spares a question when nothing was
            started after it.
    """
    journal = fake.journal
    complete = journal.oldest <= since
    if complete and not any(journal.records(since=since, operation=name) for name in _MAKERS):
        return []
    with build_opener(ProxyHandler({})).open(f"{fake.url}/_fake/state", timeout=_TIMEOUT_S) as page:
        sandboxes = json.load(page)["sandboxes"]
    running = [sandbox for sandbox in sandboxes if sandbox["state"] == "running"]
    running.sort(key=lambda sandbox: str(sandbox["startedAt"]))
    return [str(sandbox["sandboxID"]) for sandbox in running]
