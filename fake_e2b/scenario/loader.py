"""Reads a scenario file and refuses what it does not understand, naming the line."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import read
from fake_e2b.domain.steering.profiles import profile
from fake_e2b.scenario.reading import check_keys, read_step
from fake_e2b.scenario.references import References
from fake_e2b.scenario.story import Scenario, Start, StartSandbox
from fake_e2b.testing.template_file import template_from_table

Found = TypeVar("Found")

_NEEDS: Mapping[str, type] = {"title": str, "about": str, "seed": int, "facts": list, "step": list}
_TAKES: Mapping[str, type] = {"start": dict}
_TABLES = ("sandbox", "template")


def load(path: Path) -> Scenario:
    """The story in the file.

    Raises:
        UsageError: It can't be read, or says something that no player understands.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    return parse(text, name=path.stem, shown_as=str(path))


def parse(text: str, *, name: str, shown_as: str) -> Scenario:
    """The story in the text; `shown_as` stands before the line in errors.

    Raises:
        UsageError: As `load`.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{shown_as}: not TOML: {error}") from error
    source = _Source(text, shown_as)
    with source.at(1):
        check_keys(table, needs=_NEEDS, takes=_TAKES, what="a scenario")
        if not table["step"]:
            raise UsageError("a scenario has at least one [[step]]")
        start = dict(table.get("start", {}))
        lists = {key: _tables(start.pop(key, []), f"start.{key}") for key in _TABLES}
    with source.at(source.line_of("[start]")):
        begins = read(Start, start, "[start]")
        if begins.profile is not None:
            profile(begins.profile)
    references = References()
    sandboxes = source.read_all(
        lists["sandbox"],
        "[[start.sandbox]]",
        lambda each, _: references.started(read(StartSandbox, each, "[[start.sandbox]]")),
    )
    templates = source.read_all(
        lists["template"],
        "[[start.template]]",
        lambda each, _: template_from_table(each, Path(shown_as)),
    )
    steps = source.read_all(
        _tables(table["step"], "step"),
        "[[step]]",
        lambda each, line: references.followed(read_step(each, line)),
    )
    with source.at(1):
        references.check_end()
    return Scenario(
        name=name,
        title=table["title"],
        about=table["about"],
        seed=table["seed"],
        facts=tuple(map(str, table["facts"])),
        steps=steps,
        path=shown_as,
        start=begins,
        sandboxes=sandboxes,
        templates=templates,
    )


class _Source:
    """The text, and where in it things stand."""

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
        lines = self._headers(header)
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
        return next(iter(self._headers(header)), 1)

    def _headers(self, header: str) -> list[int]:
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


def _tables(value: object, key: str) -> list[dict[str, Any]]:
    if isinstance(value, list) and all(isinstance(each, dict) for each in value):
        return value
    raise UsageError(f"write each {key} as a table [[{key}]]")
