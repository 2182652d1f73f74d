"""Command lines as words: what a stub's text, pattern or regular expression fits."""

from __future__ import annotations

import fnmatch
import re
import shlex
from collections.abc import Sequence

from fake_e2b.domain.errors import UsageError

_REST = "*"
_GLOB = re.compile(r"[*?\[]")
_NAME = re.compile(r"[^\s/\0'\"\\$`|&;<>(){}*?\[\]!#~=]+")

_BUILT_IN = (
    ". : [ alias bg bind break builtin caller case cd command compgen complete compopt continue "
    "coproc declare dirs disown do done echo elif else enable esac eval exec exit export false fc "
    "fg fi for function getopts hash help history if in jobs kill let local logout mapfile popd "
    "printf pushd pwd read readarray readonly return select set shift shopt source suspend test "
    "then time times trap true type typeset ulimit umask unalias unset until wait while"
)
BUILT_INS = frozenset(_BUILT_IN.split())
"""Words that a shell deals with by itself: no program of that name is asked."""


def words_of(text: str | Sequence[str]) -> tuple[str, ...]:
    """A command line as its words, as a shell splits it.

    Raises:
        UsageError: It is empty, or a quotation is not closed.
    """
    if not isinstance(text, str):
        words = tuple(text)
        if not all(isinstance(word, str) for word in words):
            raise UsageError(f"the words of a command are texts, not {text!r}")
    else:
        try:
            words = tuple(shlex.split(text))
        except ValueError as error:
            raise UsageError(f"{text!r} is no command line: {error}") from error
    if not words:
        raise UsageError('a stub needs a command, such as "npm install"')
    return words


def program_name(word: str) -> str:
    """The name of a program that a stub can stand in for.

    Raises:
        UsageError: No program is found on PATH by that name; the text says what to do.
    """
    if word in BUILT_INS:
        raise UsageError(
            f"{word!r} is built into the shell, which asks no program: it cannot be stubbed"
        )
    if "/" in word:
        raise UsageError(
            f"a stub is found on PATH, not at {word!r}: name the program alone, "
            f"{word.rstrip('/').rpartition('/')[2]!r}"
        )
    if not _NAME.fullmatch(word):
        raise UsageError(
            f"{word!r} is no program's name: say which one with program='npm', or several with "
            "program=['npm', 'pnpm']"
        )
    return word


def pattern_words(pattern: str) -> tuple[str, ...]:
    """A pattern as its words.

    Raises:
        UsageError: As `words_of`.
    """
    return words_of(pattern)


def has_wildcards(word: str) -> bool:
    """Whether it stands for more than one text."""
    return _GLOB.search(word) is not None


def pattern_fits(pattern: Sequence[str], argv: Sequence[str]) -> bool:
    """Whether the words fit one by one; a last ``*`` stands for any number of them, even none.

    >>> pattern_fits(("npm", "install", "*"), ("npm", "install"))
    True
    >>> pattern_fits(("git", "clone", "*.git"), ("git", "clone", "x.git", "here"))
    False
    """
    if pattern[-1] == _REST:
        pattern = pattern[:-1]
        argv_part = argv[: len(pattern)]
    else:
        argv_part = argv
    return len(pattern) == len(argv_part) and all(
        fnmatch.fnmatchcase(word, each) for word, each in zip(argv_part, pattern, strict=True)
    )


def compiled(regex: str) -> re.Pattern[str]:
    """The expression that is searched for in the command line as `shlex.join` writes it.

    Raises:
        UsageError: It is none.
    """
    try:
        return re.compile(regex, re.DOTALL)
    except re.error as error:
        raise UsageError(f"regex {regex!r} is no regular expression: {error}") from error
