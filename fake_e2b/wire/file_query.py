"""The query parameters of /files. Fact: envd.files.query"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

_INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)


class QueryError(ValueError):
    """A parameter that cannot be read; the text is the answer's (400, plain text)."""

    def __init__(self, parameter: str, reason: str) -> None:
        super().__init__(f"Invalid format for parameter {parameter}: {reason}")


@dataclass(frozen=True, slots=True)
class FileQuery:
    """What a /files URL says; None is an absent parameter.

    Attributes:
        signature_expiration: Unix seconds.
    """

    path: str | None = None
    username: str | None = None
    signature: str | None = None
    signature_expiration: int | None = None


def parse_file_query(query: bytes) -> FileQuery:
    """Read a query string.

    Raises:
        QueryError: A parameter comes twice, or the expiration is no integer.
    """
    given: dict[str, list[str]] = {}
    for name, value in parse_qsl(
        query.decode("latin-1"), keep_blank_values=True, errors="surrogateescape"
    ):
        given.setdefault(name, []).append(value)
    texts = {name: _single(given, name) for name in ("path", "username", "signature")}
    expiration = _single(given, "signature_expiration")
    return FileQuery(
        **texts, signature_expiration=None if expiration is None else _integer(expiration)
    )


def _single(given: dict[str, list[str]], name: str) -> str | None:
    values = given.get(name)
    if values is None:
        return None
    if len(values) > 1:
        raise QueryError(name, f"multiple values for single value parameter '{name}'")
    return values[0]


def _integer(text: str) -> int:
    problem = "invalid syntax"
    if _INTEGER.fullmatch(text):
        number = int(text) if len(text) < 32 else 2**64
        if -(2**63) <= number < 2**63:
            return number
        problem = "value out of range"
    raise QueryError(
        "signature_expiration",
        f'error binding string parameter: strconv.ParseInt: parsing "{text}": {problem}',
    )
