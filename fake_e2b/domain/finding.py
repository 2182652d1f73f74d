"""What a test left behind or did wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class FindingKind(StrEnum):
    """What is wrong."""

    SANDBOX = "sandbox"
    """A sandbox runs still."""
    STREAM = "stream"
    """A request into a sandbox that runs still is open: a command, a terminal, a watch, a port."""
    WATCHER = "watcher"
    """A watcher collects events in a sandbox that runs still."""
    GATE = "gate"
    """A gate was never released."""
    SHORT_TIMEOUT = "short-timeout"
    """What ran was cut by a timeout: its own, or its sandbox's."""
    UNKNOWN_OPERATION = "unknown-operation"
    """The API has no such operation."""
    GAP = "gap"
    """The service has it, the fake does not."""
    KILLED_SANDBOX = "killed-sandbox"
    """A sandbox was used after a client had killed it."""
    FAILURE = "failure"
    """The fake failed, or a predicate or handler that the test gave it."""


LEAKS = frozenset({FindingKind.SANDBOX, FindingKind.STREAM, FindingKind.WATCHER, FindingKind.GATE})
"""The kinds of what is left behind; the others are misuse."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        text: What, in a sentence without its end: ``"left a sandbox running: i0abc"``.
        sandbox_id: The sandbox that it is about.
        calls: Sequence numbers of the requests that made it so; more than one where only one of
            them did and nobody can tell which.
        details: Further lines: a traceback.
    """

    kind: FindingKind
    text: str
    sandbox_id: str | None = None
    calls: Sequence[int] = ()
    details: Sequence[str] = field(default=())

    @property
    def is_leak(self) -> bool:
        """Whether it was left behind."""
        return self.kind in LEAKS
