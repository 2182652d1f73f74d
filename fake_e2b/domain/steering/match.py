"""Which requests a rule is about."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from fake_e2b.domain.clock import from_datetime
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import PYTHON_ONLY, about, nearest
from fake_e2b.domain.operations import OPERATIONS, UNKNOWN
from fake_e2b.domain.steering.asked import Asked

Where = Callable[[Asked], bool]
"""A predicate of the user's own."""

OPERATION_NAMES = frozenset({each.name for each in OPERATIONS} | {"port", UNKNOWN})
ANY = "*"
_GLOB = re.compile(r"[*?\[]")
_REGEX = "re:"


class PredicateFailedError(Exception):
    """A user's predicate raised something, which is the cause of this."""

    def __init__(self, where: Where, raised: BaseException) -> None:
        super().__init__(where, raised)
        self.where = where
        self.raised = raised

    def __str__(self) -> str:
        name = getattr(self.where, "__qualname__", repr(self.where))
        code = getattr(self.where, "__code__", None)
        place = "" if code is None else f" ({code.co_filename}, line {code.co_firstlineno})"
        return f"{name}{place} raised {type(self.raised).__name__}: {self.raised}"


def operations_of(pattern: str) -> frozenset[str]:
    """The names that an operation pattern stands for.

    Raises:
        UsageError: None; the text names the nearest.
    """
    if pattern in OPERATION_NAMES:
        return frozenset({pattern})
    if _GLOB.search(pattern):
        found = frozenset(fnmatch.filter(OPERATION_NAMES, pattern))
        if found:
            return found
    raise UsageError(
        f"there is no operation {pattern!r}{nearest(pattern, OPERATION_NAMES)}; "
        "say one as the API names it, such as createSandbox, Process.Start or files.upload, "
        'a pattern such as "Process.*", or "*" for all'
    )


def compiled(pattern: str, what: str) -> re.Pattern[str]:
    """A pattern over a whole text: ``*`` and ``?``, or a regular expression after ``re:``.

    Raises:
        UsageError: It is no regular expression.
    """
    if not pattern.startswith(_REGEX):
        return re.compile(fnmatch.translate(pattern))
    try:
        return re.compile(rf"(?:{pattern[len(_REGEX) :]})", re.DOTALL)
    except re.error as error:
        raise UsageError(f"{what} {pattern!r} is no regular expression: {error}") from error


@dataclass(frozen=True)
class RequestMatch:
    """What must hold of a request; every condition that is given must.

    Raises:
        UsageError: A name, pattern or number can never match.
    """

    operation: str = field(default=ANY, metadata=about("name in the API, or a pattern of names"))
    method: str | None = field(default=None, metadata=about("HTTP method"))
    path: str | None = field(default=None, metadata=about("pattern of the path without query"))
    sandbox_id: str | None = field(default=None, metadata=about("ID of the sandbox it is for"))
    metadata: Mapping[str, str] = field(
        default_factory=dict, metadata=about("pairs that the sandbox's metadata must hold")
    )
    template: str | None = field(default=None, metadata=about("ID or name of the template"))
    command: str | None = field(
        default=None, metadata=about("pattern of the command line, or of the code to run")
    )
    api_key: str | None = field(default=None, metadata=about("the key that it came with"))
    port: int | None = field(default=None, metadata=about("port of the sandbox it is for"))
    nth: int | None = field(default=None, metadata=about("only the n-th that matches, from 1"))
    every: int | None = field(default=None, metadata=about("only each n-th that matches"))
    since: datetime | None = field(default=None, metadata=about("from then on, fake's clock"))
    until: datetime | None = field(default=None, metadata=about("before then, fake's clock"))
    probability: float | None = field(default=None, metadata=about("share of those that match"))
    where: Where | None = field(default=None, metadata=PYTHON_ONLY)

    def __post_init__(self) -> None:
        _ = self.operations
        if self.path is not None:
            _ = self._path
        if self.command is not None:
            _ = self._command
        for name in ("nth", "every"):
            count = getattr(self, name)
            if count is not None and count < 1:
                raise UsageError(f"{name} counts from 1, so it cannot be {count}")
        if self.probability is not None and not 0 < self.probability <= 1:
            raise UsageError(f"probability is above 0 and at most 1, not {self.probability}")
        for name in ("since", "until"):
            instant = getattr(self, name)
            if instant is not None and instant.tzinfo is None:
                raise UsageError(f"{name} needs a time zone: datetime(…, tzinfo=UTC)")
        if self.since is not None and self.until is not None and self.until <= self.since:
            raise UsageError("until must be later than since")
        if self.where is not None and not callable(self.where):
            raise UsageError("where must be a function that is given what was asked")

    @cached_property
    def operations(self) -> frozenset[str]:
        """The names of the operations it is about."""
        return operations_of(self.operation)

    @cached_property
    def _path(self) -> re.Pattern[str]:
        return compiled(self.path or ANY, "path")

    @cached_property
    def _command(self) -> re.Pattern[str]:
        return compiled(self.command or ANY, "command")

    @cached_property
    def _since_ns(self) -> int:
        return from_datetime(self.since) if self.since else 0

    @cached_property
    def _until_ns(self) -> int | None:
        return from_datetime(self.until) if self.until else None

    @property
    def reads_body(self) -> bool:
        """Whether it asks for what only a request's body can say."""
        return self.command is not None or self.where is not None or self.asks_of_sandbox

    @property
    def asks_of_sandbox(self) -> bool:
        """Whether it asks for what a sandbox was created with."""
        return bool(self.metadata) or self.template is not None

    def fits(self, asked: Asked) -> bool:
        """Whether the request is one of those; counts and dice are left to the caller.

        Raises:
            PredicateFailedError: `where` raised something.
        """
        return (
            (self.sandbox_id is None or self.sandbox_id == asked.sandbox_id)
            and asked.operation in self.operations
            and (self.method is None or self.method.upper() == asked.method)
            and (self.port is None or self.port == asked.port)
            and (self.api_key is None or self.api_key == asked.api_key)
            and (self.template is None or self.template in (asked.template, asked.template_alias))
            and (self.path is None or fits(self._path, self.path, asked.path))
            and (self.command is None or fits(self._command, self.command, asked.command))
            and all(asked.metadata.get(key) == text for key, text in self.metadata.items())
            and self._since_ns <= asked.at_ns
            and (self._until_ns is None or asked.at_ns < self._until_ns)
            and self._is_wanted(asked)
        )

    def _is_wanted(self, asked: Asked) -> bool:
        if self.where is None:
            return True
        try:
            return bool(self.where(asked))
        except BaseException as error:  # pytest.fail() raises no Exception
            raise PredicateFailedError(self.where, error) from error


def fits(pattern: re.Pattern[str], text: str, searched: str | None) -> bool:
    """Whether a text, if there is one, fits a pattern that `compiled` made of `text`."""
    if searched is None:
        return False
    search: Any = pattern.search if text.startswith(_REGEX) else pattern.match
    return search(searched) is not None
