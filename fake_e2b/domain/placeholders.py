"""Placeholders in the headers that a network rule sets: their grammar, and filling them in.

`${e2b.secrets.NAME}` and `${e2b.identity.tokens.NAME}`; any other text is literal.

Fact: secrets.placeholders
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from fake_e2b.domain.secret import usable_name

Kind = Literal["secrets", "identity.tokens"]
_START = re.compile(r"\$\{e2b\.(secrets|identity\.tokens)\.")


class MalformedPlaceholderError(ValueError):
    """A placeholder that never ends, or names what cannot be."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One of them.

    Attributes:
        name: Of a secret, in canonical form; of a token, as it is written.
        start, end: Where in the text it stands.
    """

    kind: Kind
    name: str
    start: int
    end: int


def placeholders(text: str) -> Iterator[Placeholder]:
    """Those in a text, from left to right.

    Raises:
        MalformedPlaceholderError: One has no end, no name, one within, or no secret's name.
    """
    at = 0
    while (match := _START.search(text, at)) is not None:
        end = text.find("}", match.end())
        name = text[match.end() : end] if end >= 0 else ""
        kind: Kind = "secrets" if match[1] == "secrets" else "identity.tokens"
        if kind == "secrets":
            name = usable_name(name.strip().lower()) or ""
        if not name or _START.search(name):
            raise MalformedPlaceholderError(text)
        yield Placeholder(kind, name, match.start(), end + 1)
        at = end + 1


def filled(text: str, fill: Callable[[Placeholder], str | None]) -> str:
    """The text with each placeholder replaced; what comes in their place is not read again.

    Args:
        fill: What to put in its place; None leaves it as it is written.
    """
    parts = []
    at = 0
    for each in placeholders(text):
        value = fill(each)
        parts += [text[at : each.start], text[each.start : each.end] if value is None else value]
        at = each.end
    return "".join((*parts, text[at:]))
