"""A stub as a table, in JSON or TOML: all but what only Python can say."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fake_e2b.domain.forms import about
from fake_e2b.domain.stubs.rule import StubAnswer, StubMatch, StubRule
from fake_e2b.domain.stubs.words import words_of


@dataclass(frozen=True)
class StubForm:
    """The table's keys; what they mean together is up to `StubMatch` and `StubAnswer`."""

    name: str | None = field(default=None, metadata=about("unique; the command's text if left out"))
    command: str | tuple[str, ...] | None = field(
        default=None, metadata=about("the exact words of the command line")
    )
    pattern: str | None = field(
        default=None,
        metadata=about("words with *, ? and […]; a last * stands for any number of words"),
    )
    regex: str | None = field(
        default=None, metadata=about("searched for in the command line; needs a program")
    )
    program: str | tuple[str, ...] | None = field(
        default=None, metadata=about("names of programs, beside a regex, or alone for all calls")
    )
    sandbox_id: str | None = field(default=None, metadata=about("only in this sandbox"))
    metadata: Mapping[str, str] = field(
        default_factory=dict, metadata=about("only in sandboxes whose metadata hold these pairs")
    )
    template: str | None = field(default=None, metadata=about("ID or name of the template"))
    times: int | None = field(default=None, metadata=about("how many calls it answers"))
    stdout: str = field(default="", metadata=about("what it writes"))
    stderr: str = field(default="", metadata=about("what it writes on stderr"))
    exit_code: int = field(default=0, metadata=about("what it exits with, 0 to 255"))
    delay_s: float = field(default=0.0, metadata=about("real seconds before it answers"))

    def rule(self, free_name: Callable[[str], str]) -> StubRule:
        """The stub that it describes.

        Raises:
            UsageError: It makes no sense.
        """
        match = StubMatch(
            command=None if self.command is None else words_of(self.command),
            pattern=self.pattern,
            regex=self.regex,
            programs=named(self.program),
            sandbox_id=self.sandbox_id,
            metadata=self.metadata,
            template=self.template,
        )
        answer = StubAnswer(
            self.stdout.encode(errors="surrogatepass"),
            self.stderr.encode(errors="surrogatepass"),
            self.exit_code,
            self.delay_s,
        )
        name = free_name(match.text) if self.name is None else self.name
        return StubRule(name, match, answer, self.times)


def form_of(rule: StubRule) -> StubForm:
    """What can be said of a stub as a table."""
    match, answer = rule.match, rule.answer
    programs = match.programs
    return StubForm(
        rule.name,
        None if match.command is None else shlex.join(match.command),
        match.pattern,
        match.regex,
        programs[0] if len(programs) == 1 else programs or None,
        match.sandbox_id,
        match.metadata,
        match.template,
        rule.times,
        answer.stdout.decode(errors="replace"),
        answer.stderr.decode(errors="replace"),
        answer.exit_code,
        answer.delay_s,
    )


def named(program: str | Sequence[str] | None) -> tuple[str, ...]:
    """The names of programs, of which one may stand alone."""
    if program is None:
        return ()
    return (program,) if isinstance(program, str) else tuple(program)
