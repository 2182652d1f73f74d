"""Fields of a record by name, and what can be demanded of them.

A name is a path into the record, its parts joined by two underscores: ``body__metadata__userId``.
An operator may stand at its end: ``status__gte``, ``command__contains``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from fake_e2b.backend.journal_metadata import SandboxMetadata
from fake_e2b.backend.masking import MASK, mask
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import nearest
from fake_e2b.domain.journal import JournalRecord


class _Missing:
    def __repr__(self) -> str:
        return "(missing)"


MISSING: Any = _Missing()
"""What a path leads to that leads nowhere."""
_NS_PER_MS = 1_000_000

_SCALARS: Mapping[str, Callable[[JournalRecord], Any]] = {
    "sequence": lambda record: record.sequence,
    "kind": lambda record: record.kind.value,
    "operation": lambda record: record.operation,
    "method": lambda record: record.method,
    "path": lambda record: record.path,
    "sandbox_id": lambda record: record.sandbox_id,
    "status": lambda record: record.status,
    "duration_ms": lambda record: (
        None if record.duration_ns is None else record.duration_ns / _NS_PER_MS
    ),
    "client": lambda record: record.client,
    "received": lambda record: record.received,
    "sent": lambda record: record.sent,
    "command": lambda record: record.command,
    "stdout": lambda record: record.stdout,
    "stderr": lambda record: record.stderr,
    "pty": lambda record: record.stream.outputs().get("pty") if record.stream else None,
    "exit_code": lambda record: record.exit_code,
    "error": lambda record: record.stream.error if record.stream else None,
    "traceback": lambda record: record.traceback,
}
_TREES: Mapping[str, Callable[[JournalRecord, SandboxMetadata], Any]] = {
    "body": lambda record, metadata: _json_or_text(record.json, record.body),
    "answer": lambda record, metadata: _json_or_text(record.answer_json, record.answer),
    "header": lambda record, metadata: {
        name.replace("-", "_"): value for name, value in reversed(record.headers)
    },
    "query": lambda record, metadata: dict(
        parse_qsl(record.path.partition("?")[2], keep_blank_values=True)
    ),
    "frames": lambda record, metadata: dict(record.stream.frames) if record.stream else MISSING,
    "metadata": lambda record, metadata: _or_missing(metadata.of(record.sandbox_id)),
}
FIELDS = (*_TREES, *_SCALARS)
"""The names that a path may begin with; the first of them have parts."""
_CAMEL = {"sandboxID": "sandbox_id", "durationMs": "duration_ms", "exitCode": "exit_code"}
"""As the journal's JSON writes them."""


def _or_missing(value: Any) -> Any:
    return MISSING if value is None else value


def _json_or_text(value: Any, text: str) -> Any:
    if value is not None:
        return value
    return text or MISSING


# -- operators -----------------------------------------------------------------------------------


def _equal(got: Any, wanted: Any) -> bool:
    if isinstance(got, str) and got.startswith(MASK) and isinstance(wanted, str):
        # What is hidden wholly cannot be compared: that it is right would be a guess.
        return got == wanted or (got != MASK and got == mask(wanted))
    if isinstance(got, dict) and isinstance(wanted, Mapping):
        return got.keys() == wanted.keys() and all(_equal(got[key], wanted[key]) for key in got)
    if isinstance(got, bool) is not isinstance(wanted, bool):
        return False
    return bool(got == wanted)


def _contains(got: Any, wanted: Any) -> bool:
    if isinstance(got, dict) and isinstance(wanted, Mapping):
        return all(key in got and _equal(got[key], wanted[key]) for key in wanted)
    return wanted in got


_OPERATORS: Mapping[str, tuple[str, Callable[[Any, Any], object]]] = {
    "exact": ("=", _equal),
    "ne": ("≠", lambda got, wanted: not _equal(got, wanted)),
    "contains": ("contains", _contains),
    "icontains": ("contains (any case)", lambda got, wanted: wanted.lower() in got.lower()),
    "startswith": ("starts with", lambda got, wanted: got.startswith(wanted)),
    "endswith": ("ends with", lambda got, wanted: got.endswith(wanted)),
    "matches": ("matches", lambda got, wanted: re.search(wanted, got, re.DOTALL)),
    "gt": (">", lambda got, wanted: got > wanted),
    "gte": ("≥", lambda got, wanted: got >= wanted),
    "lt": ("<", lambda got, wanted: got < wanted),
    "lte": ("≤", lambda got, wanted: got <= wanted),
    "in": ("in", lambda got, wanted: got in wanted),
    "len": ("has the length", lambda got, wanted: len(got) == wanted),
    "exists": ("exists", lambda got, wanted: ...),
}
OPERATORS = tuple(_OPERATORS)


@dataclass(frozen=True, slots=True)
class Difference:
    """What a record has in place of what was wanted.

    Attributes:
        field: The path as people write it, with dots.
        wanted: With the operator in front where it is not equality.
        got: The value, `MISSING` where there is none.
        remark: What may help, e.g. which names there are instead.
    """

    field: str
    wanted: str
    got: Any
    remark: str = ""

    @property
    def got_text(self) -> str:
        """The value as the report shows it."""
        return f"{self.got!r}{self.remark}"


@dataclass(frozen=True, slots=True)
class Condition:
    """One demand on one field.

    Attributes:
        path: The field's name, and the way into its value.
    """

    path: tuple[str, ...]
    operator: str
    wanted: Any

    @classmethod
    def of(cls, name: str, wanted: Any) -> Condition:
        """Read a keyword such as ``body__metadata__userId`` or ``status__in``.

        Raises:
            UsageError: There is no such field or operator, or the operator cannot be asked about
                this value.
        """
        root, *rest = name.split("__")
        root = _CAMEL.get(root, root)
        if root not in FIELDS:
            raise UsageError(
                f"records have no field {name!r}; fields are: "
                f"{', '.join(f'{tree}__…' for tree in _TREES)}, {', '.join(_SCALARS)}"
                f"{nearest(root, FIELDS)}"
            )
        operator = "exact"
        if rest and rest[-1] in _OPERATORS:
            operator = rest.pop()
        if root in _SCALARS and rest:
            raise UsageError(
                f"{name!r}: {root} has no parts, and {rest[-1]!r} is no operator; "
                f"operators are: {', '.join(OPERATORS)}{nearest(rest[-1], OPERATORS)}"
            )
        if "" in rest:
            raise UsageError(f"{name!r}: a part of the path is empty")
        _check(name, operator, wanted)
        return cls((root, *rest), operator, wanted)

    @property
    def field(self) -> str:
        """The path with dots."""
        return ".".join(self.path)

    def __str__(self) -> str:
        if self.operator == "exists":
            return f"{self.field} {'there' if self.wanted else 'not there'}"
        return f"{self.field} {_OPERATORS[self.operator][0]} {self.wanted!r}"

    def difference(self, record: JournalRecord, metadata: SandboxMetadata) -> Difference | None:
        """What is different; None when the record has what is wanted."""
        root, *rest = self.path
        if root in _SCALARS:
            got, remark = _SCALARS[root](record), ""
        else:
            got, remark = _follow(_TREES[root](record, metadata), rest)
        if self._holds(got, record):
            return None
        sign = _OPERATORS[self.operator][0]
        shown = repr(self.wanted) if self.operator == "exact" else f"{sign} {self.wanted!r}"
        if got == MASK:
            remark = " (masked; a secret as short as this cannot be compared)"
        return Difference(self.field, shown, got, remark)

    def _holds(self, got: Any, record: JournalRecord) -> bool:
        if self.operator == "exists":
            return (got is not MISSING and got is not None) is bool(self.wanted)
        if got is MISSING:
            return self.operator == "ne"
        if len(self.path) == 1 and isinstance(self.wanted, str):
            got = {"body": record.body, "answer": record.answer}.get(self.path[0], got)
        try:
            return bool(_OPERATORS[self.operator][1](got, self.wanted))
        except (TypeError, AttributeError):
            return False  # Values of another kind: a status that is None is not above 400.


def _check(name: str, operator: str, wanted: Any) -> None:
    if operator == "matches":
        try:
            re.compile(wanted)
        except (re.error, TypeError) as error:
            raise UsageError(f"{name}={wanted!r} is no regular expression: {error}") from error
    elif operator in ("icontains", "startswith", "endswith") and not isinstance(wanted, str):
        raise UsageError(f"{name} needs a text, not {wanted!r}")
    elif operator == "in" and (isinstance(wanted, str) or not isinstance(wanted, Container)):
        raise UsageError(f"{name} needs a list of values, not {wanted!r}")
    elif operator == "len" and (type(wanted) is not int or wanted < 0):
        raise UsageError(f"{name} needs a whole number from 0, not {wanted!r}")
    elif operator == "exists" and not isinstance(wanted, bool):
        raise UsageError(f"{name} needs True or False, not {wanted!r}")


def _follow(value: Any, path: list[str]) -> tuple[Any, str]:
    """Where a path leads, and where it ends early: what there is instead."""
    for part in path:
        if isinstance(value, dict | Mapping):
            if part not in value:
                names = sorted(map(str, value))
                there = f"; there is {', '.join(names[:12])}" if names else ""
                return MISSING, f"{there}{nearest(part, names)}"
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return MISSING, ""
    return value, ""
