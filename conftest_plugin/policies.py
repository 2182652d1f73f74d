"""What becomes of a finding at the end of a test: an error, a warning, or nothing."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WORDS = ("error", "warn", "ignore")
DEFAULT = "warn"
LEAKS = ("sandbox", "stream", "watcher", "gate")
"""Kinds of what a test can leave behind; the words of `fake_e2b.testing.FindingKind`."""
MISUSES = ("short-timeout", "unknown-operation", "gap", "killed-sandbox", "failure")
"""Kinds of what it can do wrong."""


class PolicyError(ValueError):
    """A policy that cannot be; the text says what one looks like."""


@dataclass(frozen=True)
class Policy:
    """A word for all kinds, and words for single ones.

    Attributes:
        general: Of `WORDS`.
        of_kind: The same by kind, before `general`.
    """

    general: str = DEFAULT
    of_kind: Mapping[str, str] = field(default_factory=dict)

    def word(self, kind: str) -> str:
        """What a finding of that kind is."""
        return self.of_kind.get(kind, self.general)


def read_leaks(value: Any) -> Policy:
    """See `_read`."""
    return _read(value, LEAKS)


def read_misuse(value: Any) -> Policy:
    """See `_read`."""
    return _read(value, MISUSES)


def _read(value: Any, kinds: tuple[str, ...]) -> Policy:
    """A policy from ``"error"``, ``"warn,gap=ignore"``, or a mapping from kinds to words.

    Raises:
        PolicyError: It is none.
    """
    if isinstance(value, Policy):
        return value
    general, of_kind = DEFAULT, dict[str, str]()
    if isinstance(value, Mapping):
        pairs = list(value.items())
    elif isinstance(value, str):
        pairs = []
        for at, part in enumerate(value.split(",")):
            kind, equals, word = (each.strip() for each in part.partition("="))
            if equals:
                pairs.append((kind, word))
            elif at:
                raise PolicyError(f"use {_form(kinds)}")
            else:
                general = _word(kind, kinds)
    else:
        raise PolicyError(f"use {_form(kinds)}")
    for kind, word in pairs:
        if kind not in kinds:
            raise PolicyError(
                f"there is no kind {kind!r}{_nearest(str(kind), kinds)}; "
                f"there are {', '.join(kinds)}"
            )
        of_kind[kind] = _word(word, kinds)
    return Policy(general, of_kind)


def _word(word: Any, kinds: tuple[str, ...]) -> str:
    if word not in WORDS:
        raise PolicyError(f"use {_form(kinds)}{_nearest(str(word), WORDS)}")
    return str(word)


def _form(kinds: tuple[str, ...]) -> str:
    return f"one of {', '.join(WORDS)}, with single kinds behind it: error,{kinds[1]}=ignore"


def _nearest(word: str, known: tuple[str, ...]) -> str:
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""
