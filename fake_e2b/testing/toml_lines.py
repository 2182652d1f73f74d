"""Lines of what stands in a TOML file, for errors that name them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from fake_e2b.domain.errors import UsageError

Found = TypeVar("Found")


class TomlLines:
    """A TOML text, and where in it things stand.

    Args:
        shown_as: What stands before the line in errors.
    """

    def __init__(self, text: str, shown_as: str) -> None:
        self._lines = text.splitlines(keepends=True)
        self._shown_as = shown_as

    @contextmanager
    def at(self, line: int) -> Iterator[None]:
        """Put the file and the line before what is refused inside the block."""
        try:
            yield
        except UsageError as error:
            raise UsageError(f"{self._shown_as}:{line}: {error}") from error

    def read_all(
        self,
        tables: list[dict[str, Any]],
        header: str,
        make: Callable[[dict[str, Any], int], Found],
    ) -> tuple[Found, ...]:
        """Make something of each table, which is given with its line."""
        lines = self.headers(header)
        # Tables can be written without headers too, as values of a list.
        if len(lines) != len(tables):
            lines = [1] * len(tables)
        made = []
        for table, line in zip(tables, lines, strict=True):
            with self.at(line):
                made.append(make(dict(table), line))
        return tuple(made)

    def line_of(self, header: str) -> int:
        """The line of a header, or the first where it has none."""
        return next(iter(self.headers(header)), 1)

    def headers(self, header: str) -> list[int]:
        """Line numbers of a header; the TOML parser of the standard library keeps none.

        A line that merely looks like one, inside a text of several lines, is told by what stands
        before it: that is not TOML by itself.
        """
        found = []
        for number, line in enumerate(self._lines, start=1):
            if "".join(line.partition("#")[0].split()) == header:
                try:
                    tomllib.loads("".join(self._lines[: number - 1]))
                except tomllib.TOMLDecodeError:
                    continue
                found.append(number)
        return found
