"""What a stub stands in for, and what it answers."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.sandbox import short_id
from fake_e2b.domain.stubs.call import Command, Site
from fake_e2b.domain.stubs.words import (
    compiled,
    has_wildcards,
    pattern_fits,
    pattern_words,
    program_name,
    words_of,
)

Predicate = Callable[[Command], object]
_HIGHEST_EXIT_CODE = 255
_LONGEST_DELAY_S = 24 * 3600.0


@dataclass(frozen=True)
class StubMatch:
    """Which calls a stub answers; every condition that is given must hold.

    Attributes:
        command: The exact words.
        pattern: Words of which each may have ``*``, ``?`` and ``[…]``; see `words.pattern_fits`.
        regex: Searched for in the command line as `shlex.join` writes it.
        programs: Names; those that the other conditions name need not be said.
        where: Any further condition.

    Raises:
        UsageError: No call could ever fit, or it is not said which programs are meant.
    """

    command: tuple[str, ...] | None = None
    pattern: str | None = None
    regex: str | None = None
    programs: tuple[str, ...] = ()
    where: Predicate | None = None
    sandbox_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    template: str | None = None

    def __post_init__(self) -> None:
        texts = {"command": self.command, "pattern": self.pattern, "regex": self.regex}
        given = [name for name, value in texts.items() if value is not None]
        if len(given) > 1:
            raise UsageError(f"say one of {' and '.join(given)}: a stub has one of them")
        if self.where is not None and not callable(self.where):
            raise UsageError("where is a function that is given the call: where=lambda call: …")
        for name in self.names:
            program_name(name)
        if self.sandbox_id is not None and short_id(self.sandbox_id) is None:
            raise UsageError(f"{self.sandbox_id!r} is no sandbox's ID")
        if not all(isinstance(text, str) for pair in self.metadata.items() for text in pair):
            raise UsageError("metadata is texts by names, such as {'user': '123'}")
        _ = self._regex

    @cached_property
    def names(self) -> frozenset[str]:
        """The programs whose calls are asked about."""
        first = None
        if self.command is not None:
            first = words_of(self.command)[0]
        elif self.pattern is not None:
            first = pattern_words(self.pattern)[0]
            if self.programs and has_wildcards(first):
                first = None
        named = frozenset(self.programs)
        if first is None:
            if not named:
                raise UsageError(
                    "say which program is meant: stub('npm install'), stub(pattern='npm *'), or "
                    "program='npm' beside regex= and where="
                )
            return named
        if named and first not in named:
            raise UsageError(f"the command is one of {first!r}, but program says {sorted(named)}")
        return frozenset({first})

    @cached_property
    def _regex(self) -> re.Pattern[str] | None:
        return None if self.regex is None else compiled(self.regex)

    @cached_property
    def _pattern(self) -> tuple[str, ...] | None:
        return None if self.pattern is None else pattern_words(self.pattern)

    def is_for(self, site: Site) -> bool:
        """Whether calls there are meant."""
        return (
            (self.sandbox_id is None or short_id(self.sandbox_id) == site.sandbox_id)
            and (self.template is None or self.template in site.templates)
            and all(site.metadata.get(key) == text for key, text in self.metadata.items())
        )

    def fits(self, command: Command) -> bool:
        """Whether the words fit; `where` is left to the caller, for it may do anything."""
        return (
            command.argv[0] in self.names
            and (self.command is None or self.command == command.argv)
            and (self._pattern is None or pattern_fits(self._pattern, command.argv))
            and (self._regex is None or self._regex.search(shlex.join(command.argv)) is not None)
        )

    @property
    def text(self) -> str:
        """What a person calls it."""
        if self.command is not None:
            return shlex.join(self.command)
        return self.pattern or self.regex or " ".join(sorted(self.names))


@dataclass(frozen=True, slots=True)
class StubAnswer:
    """What is answered: declared, or by a handler.

    Attributes:
        delay_s: Real seconds before anything is said.
        handler: A function that is given the call, ``async`` or not.

    Raises:
        UsageError: A number is out of range, or both kinds are given.
    """

    stdout: bytes = b""
    stderr: bytes = b""
    exit_code: int = 0
    delay_s: float = 0.0
    handler: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        check_exit_code(self.exit_code)
        is_number = isinstance(self.delay_s, int | float) and not isinstance(self.delay_s, bool)
        if not is_number or math.isnan(self.delay_s):
            raise UsageError(f"delay_s is a number of seconds, not {self.delay_s!r}")
        if not 0 <= self.delay_s <= _LONGEST_DELAY_S:
            raise UsageError(f"delay_s is between 0 and {_LONGEST_DELAY_S:.0f}: {self.delay_s}")
        if self.handler is None:
            return
        if not callable(self.handler):
            raise UsageError("handler is a function that is given the call")
        if self.stdout or self.stderr or self.exit_code:
            raise UsageError(
                "say either what is answered or a handler: a handler writes with call.write() and "
                "returns the exit code"
            )


def check_exit_code(code: object) -> int:
    """A number that a program can exit with.

    Raises:
        UsageError: It is none.
    """
    if not isinstance(code, int) or isinstance(code, bool) or not 0 <= code <= _HIGHEST_EXIT_CODE:
        raise UsageError(f"an exit code is a whole number from 0 to 255, not {code!r}")
    return code


@dataclass(frozen=True, slots=True)
class StubRule:
    """A stub as a test asked for it.

    Attributes:
        times: How many calls it answers; None for any number.

    Raises:
        UsageError: `times` is not a number from 1.
    """

    name: str
    match: StubMatch
    answer: StubAnswer
    times: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise UsageError("a stub's name is a text, such as name='npm'")
        if self.times is None:
            return
        is_number = isinstance(self.times, int) and not isinstance(self.times, bool)
        if not is_number or self.times < 1:
            raise UsageError(f"times is a whole number from 1, not {self.times!r}")
