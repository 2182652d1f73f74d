"""`/_fake/journal/expect`: what must have been asked, and how it differs when it was not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fake_e2b.admin.parts import AdminParts
from fake_e2b.admin.query import json_object
from fake_e2b.backend.journal import Journal
from fake_e2b.backend.journal_fields import MISSING, Difference
from fake_e2b.backend.verification import (
    Count,
    JournalMismatchError,
    Wanted,
    noted,
    verify,
    verify_order,
)
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import about, read
from fake_e2b.domain.journal import JournalRecord
from fake_e2b.wire.journal import record_json

FORM = '{"operation": "createSandbox", "times": 1, "fields": {"body__metadata__userId": "123"}}'
MISMATCH = 417
"""The status when the journal does not hold what is expected."""
LONGEST_WAIT_S = 300.0
_GLANCE_S = 0.02


@dataclass(frozen=True)
class Step:
    """One record of an order."""

    operation: str = field(metadata=about("operation or event, or a pattern of names"))
    fields: Mapping[str, Any] = field(
        default_factory=dict, metadata=about("what must hold, as in Python: status, body__a__b")
    )


@dataclass(frozen=True)
class Expected:
    """What must have been asked: one thing so often, or several in an order."""

    operation: str | None = field(
        default=None, metadata=about("operation or event, or a pattern of names")
    )
    fields: Mapping[str, Any] = field(
        default_factory=dict, metadata=about("what must hold, as in Python: status, body__a__b")
    )
    times: int | None = field(default=None, metadata=about("exactly; 1 when nothing is said"))
    at_least: int | None = field(default=None, metadata=about("in place of times"))
    at_most: int | None = field(default=None, metadata=about("in place of times"))
    in_order: tuple[Mapping[str, Any], ...] | None = field(
        default=None, metadata=about("in place of operation: steps of operation and fields")
    )
    since: int = field(default=0, metadata=about("count from that sequence number on"))
    timeout_s: float = field(default=0.0, metadata=about("wait so long for what is too few"))

    def __post_init__(self) -> None:
        if (self.operation is None) is (self.in_order is None):
            raise UsageError(f"say either operation or inOrder; send {FORM}")
        if self.in_order is not None and (
            self.fields or (self.times, self.at_least, self.at_most) != (None, None, None)
        ):
            raise UsageError("inOrder takes no counts, and has fields in its steps")
        if self.since < 0:
            raise UsageError(f"since is from 0, not {self.since}")
        if not 0 <= self.timeout_s <= LONGEST_WAIT_S:
            raise UsageError(f"timeoutS is from 0 to {LONGEST_WAIT_S:.0f}, not {self.timeout_s}")


async def expect(parts: AdminParts, request: Request) -> Response:
    """The records that fit; 417 with the difference when they are too few or too many.

    Raises:
        UsageError: The body is of another form, or names what does not exist.
    """
    expected = read(Expected, await json_object(request, FORM), "the body")
    check = _Check(parts.journal, expected)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + expected.timeout_s
    while True:
        try:
            found = check.run()
        except JournalMismatchError as error:
            if check.is_past_help(error) or loop.time() >= deadline:
                return JSONResponse(_mismatch(error), MISMATCH)
            await asyncio.sleep(_GLANCE_S)
        else:
            return JSONResponse({"records": [record_json(record) for record in found]})


class _Check:
    """What is expected, read once and asked again and again."""

    def __init__(self, journal: Journal, expected: Expected) -> None:
        self._journal = journal
        self._since = expected.since
        names = noted(journal.records(kind="state"))
        self._steps: list[Wanted] | None = None
        if expected.in_order is not None:
            steps = [read(Step, step, "a step of inOrder") for step in expected.in_order]
            self._steps = [Wanted.of(each.operation, each.fields, noted=names) for each in steps]
            return
        assert expected.operation is not None
        self._wanted = Wanted.of(expected.operation, expected.fields, noted=names)
        self._count = Count.of(expected.times, expected.at_least, expected.at_most)

    def run(self) -> Sequence[JournalRecord]:
        """The records that fit.

        Raises:
            JournalMismatchError: They do not suffice, or are too many.
        """
        records, metadata = self._journal.records(since=self._since), self._journal.metadata
        if self._steps is not None:
            return verify_order(records, self._steps, metadata)
        return verify(records, self._wanted, self._count, metadata)

    def is_past_help(self, error: JournalMismatchError) -> bool:
        """Whether no waiting makes it come true: there are too many."""
        return self._steps is None and len(error.matched) > self._count.at_least


def _mismatch(error: JournalMismatchError) -> dict[str, Any]:
    return {
        "code": MISMATCH,
        "message": str(error),
        "matched": [record.sequence for record in error.matched],
        "nearest": None if error.nearest is None else record_json(error.nearest),
        "differences": [_difference(each) for each in error.differences],
    }


def _difference(each: Difference) -> dict[str, Any]:
    missing = each.got is MISSING
    return {
        "field": each.field,
        "wanted": each.wanted,
        "got": None if missing else each.got,
        "missing": missing,
        "remark": each.remark.lstrip("; "),
    }
