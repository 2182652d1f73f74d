"""Demands on the journal as a whole: that something was asked, how often, in which order.

Pure: records in, those that fit out, or a `JournalMismatchError` whose text shows the record that
came nearest, field by field.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from fake_e2b.backend import verification_text
from fake_e2b.backend.journal_fields import Condition, Difference
from fake_e2b.backend.journal_metadata import SandboxMetadata
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import nearest
from fake_e2b.domain.journal import EVENTS, NAMES, JournalRecord

_GLOB = re.compile(r"[*?\[]")
_COMPARED = 500
"""Records, the newest, among which the nearest is looked for."""
_TEXT_COMPARED = 200

Predicate = Callable[[JournalRecord], object]


class JournalMismatchError(AssertionError):
    """The journal does not hold what was expected.

    Attributes:
        matched: The records that fit.
        nearest: The one that came nearest; None if nothing did.
        differences: What it has in place of what was wanted.
    """

    def __init__(
        self,
        text: str,
        *,
        matched: Sequence[JournalRecord] = (),
        nearest: JournalRecord | None = None,
        differences: Sequence[Difference] = (),
    ) -> None:
        super().__init__(text)
        self.matched = tuple(matched)
        self.nearest = nearest
        self.differences = tuple(differences)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a record must be: its operation, and conditions on its fields."""

    operation: str
    conditions: tuple[Condition, ...] = ()
    where: Predicate | None = None

    @classmethod
    def of(
        cls,
        operation: str,
        fields: Mapping[str, Any],
        *,
        where: Predicate | None = None,
        noted: Collection[str] = (),
    ) -> Wanted:
        """Read what a caller wrote.

        Args:
            operation: A name, or a pattern such as ``Process.*``.
            noted: Further names there are, those of a test's own notes.

        Raises:
            UsageError: No such operation, field or operator.
        """
        names = NAMES.union(noted)
        if operation not in names and not (
            _GLOB.search(operation) and fnmatch.filter(names, operation)
        ):
            raise UsageError(
                f"there is no operation or event {operation!r}; say createSandbox, "
                "Process.Start, files.upload, execute, an event such as paused or processEnded, "
                f"or a pattern such as 'Process.*'{nearest(operation, names)}"
            )
        return cls(operation, tuple(Condition.of(*field) for field in fields.items()), where)

    def __str__(self) -> str:
        demands = [str(condition) for condition in self.conditions]
        if self.where is not None:
            demands.append(f"where {getattr(self.where, '__name__', self.where)}")
        return self.operation + (f" with {' and '.join(demands)}" if demands else "")

    def is_of(self, operation: str) -> bool:
        """Whether records of that operation are meant."""
        if operation == self.operation:
            return True
        return bool(_GLOB.search(self.operation)) and fnmatch.fnmatchcase(operation, self.operation)

    def candidates(self, records: Sequence[JournalRecord]) -> list[JournalRecord]:
        """The records of the operation."""
        names = {record.operation for record in records}
        meant = {name for name in names if self.is_of(name)}
        return [record for record in records if record.operation in meant]

    def differences(self, record: JournalRecord, metadata: SandboxMetadata) -> list[Difference]:
        """What is different in a record of the operation."""
        found = [condition.difference(record, metadata) for condition in self.conditions]
        different = [each for each in found if each is not None]
        if self.where is not None and not different and not self.where(record):
            name = getattr(self.where, "__name__", "where")
            different.append(Difference("where", f"{name}(record)", False))
        return different

    def among(
        self, records: Sequence[JournalRecord], metadata: SandboxMetadata
    ) -> list[JournalRecord]:
        """The records that fit."""
        return [
            record for record in self.candidates(records) if not self.differences(record, metadata)
        ]


@dataclass(frozen=True, slots=True)
class Count:
    """How often."""

    at_least: int
    at_most: int | None

    @classmethod
    def of(
        cls, times: int | None = None, at_least: int | None = None, at_most: int | None = None
    ) -> Count:
        """Exactly `times`, or between the two; once when nothing is said.

        Raises:
            UsageError: They contradict each other, or are no counts.
        """
        for name, number in (("times", times), ("at_least", at_least), ("at_most", at_most)):
            if number is not None and (type(number) is not int or number < 0):
                raise UsageError(f"{name} must be a whole number from 0, not {number!r}")
        if times is not None and (at_least is not None or at_most is not None):
            raise UsageError("say either times or at_least and at_most")
        if at_least is None and at_most is None:
            times = 1 if times is None else times
            return cls(times, times)
        if at_least is not None and at_most is not None and at_least > at_most:
            raise UsageError(f"at_least={at_least} is more than at_most={at_most}")
        return cls(at_least or 0, at_most)

    def __contains__(self, number: int) -> bool:
        return number >= self.at_least and (self.at_most is None or number <= self.at_most)


def noted(records: Sequence[JournalRecord]) -> set[str]:
    """The words of notes that a test wrote itself."""
    return {record.operation for record in records if record.operation not in EVENTS}


def verify(
    records: Sequence[JournalRecord], wanted: Wanted, count: Count, metadata: SandboxMetadata
) -> list[JournalRecord]:
    """The records that fit.

    Raises:
        JournalMismatchError: They are too few or too many.
    """
    found = wanted.among(records, metadata)
    if len(found) in count:
        return found
    text = verification_text.counted(str(wanted), count.at_least, count.at_most, found)
    if len(found) > count.at_least:
        raise JournalMismatchError(text, matched=found)
    nearest, differences = nearest_miss(records, wanted, found, metadata)
    text += verification_text.missed(records, wanted.candidates(records), nearest, differences)
    raise JournalMismatchError(text, matched=found, nearest=nearest, differences=differences)


def verify_order(
    records: Sequence[JournalRecord], steps: Sequence[Wanted], metadata: SandboxMetadata
) -> list[JournalRecord]:
    """One record for each step, each after the one before; others may lie between.

    Raises:
        JournalMismatchError: Some step has none.
    """
    found: list[JournalRecord] = []
    for step in steps:
        after = found[-1].sequence if found else -1
        later = [record for record in records if record.sequence > after]
        fitting = step.among(later, metadata)
        if fitting:
            found.append(fitting[0])
            continue
        before = [record for record in step.among(records, metadata) if record.sequence <= after]
        nearest, differences = nearest_miss(later, step, (), metadata)
        text = verification_text.out_of_order([str(each) for each in steps], found, before)
        if not before:
            text += verification_text.missed(later, step.candidates(later), nearest, differences)
        raise JournalMismatchError(text, matched=found, nearest=nearest, differences=differences)
    return found


def nearest_miss(
    records: Sequence[JournalRecord],
    wanted: Wanted,
    found: Sequence[JournalRecord],
    metadata: SandboxMetadata,
) -> tuple[JournalRecord | None, list[Difference]]:
    """Of the records of the operation that do not fit, the one with the least difference."""
    fitting = {record.sequence for record in found}
    best: tuple[float, JournalRecord | None, list[Difference]] = (float("inf"), None, [])
    for record in reversed(wanted.candidates(records)[-_COMPARED:]):
        if record.sequence in fitting:
            continue
        differences = wanted.differences(record, metadata)
        distance = sum(_distance(each) for each in differences)
        if distance < best[0]:
            best = (distance, record, differences)
    return best[1], best[2]


def _distance(difference: Difference) -> float:
    """Between 1 (something like it) and 2 (something else); 3 where there is nothing."""
    got = difference.got_text
    if difference.remark or difference.got is None:
        return 3
    wanted = difference.wanted
    likeness = SequenceMatcher(None, wanted[:_TEXT_COMPARED], got[:_TEXT_COMPARED], False).ratio()
    return 2 - likeness
