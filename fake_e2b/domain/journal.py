"""One entry of the journal: what was asked of the fake, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RecordKind(StrEnum):
    """What a record is about."""

    REQUEST = "request"
    """A client asked for something."""
    STATE = "state"
    """The fake changed something by itself: a sandbox's time was up, everything was reset."""


@dataclass(slots=True, eq=False)
class JournalRecord:
    """A request or a change of state.

    A request is recorded when it arrives and completed when its answer ends, so a stream that
    hangs is there to be seen: until then `status` (before the headers) and `duration_ns` are None.

    Attributes:
        sequence: Position in the journal, from 0; never reused, not even after a reset.
        at_ns: The instant by the fake's clock, see `domain.clock`.
        real_ns: The same by the machine's clock.
        operation: As in the API (`domain.operations`), ``"unknown"`` for what the API lacks.
        path: As sent, with its query; signatures are masked.
        sandbox_id: The sandbox it was for, whichever way the request named it.
        duration_ns: Real time from arrival to the end of the answer.
        client: ``"address:port"``.
        headers: As sent, names in lower case; keys and tokens are masked.
        body: The beginning of the request's body in readable form; secrets are masked.
        received: Bytes of the request's body.
        sent: Bytes of the answer's body.
        answer: The beginning of an answer whose status is 400 or above.
        traceback: Where the fake itself failed; None when it did not.
    """

    sequence: int
    at_ns: int
    real_ns: int
    kind: RecordKind
    operation: str
    method: str = ""
    path: str = ""
    sandbox_id: str | None = None
    status: int | None = None
    duration_ns: int | None = None
    client: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    received: int = 0
    sent: int = 0
    answer: str = ""
    traceback: str | None = None
