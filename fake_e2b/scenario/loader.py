"""Reads a scenario file and refuses what it does not understand, naming the line."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path

from fake_e2b.domain.errors import UsageError
from fake_e2b.scenario.steps import FORMS, Scenario, Step, Table

_HEADER = {"title": str, "about": str, "seed": int, "facts": list, "step": list}


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
    _check_keys(table, needs=_HEADER, takes={}, where=f"{shown_as}:1", what="a scenario")
    lines = _step_lines(text)
    steps = [_step(step, line, shown_as) for step, line in zip(table["step"], lines, strict=True)]
    if not steps:
        raise UsageError(f"{shown_as}:1: a scenario has at least one [[step]]")
    return Scenario(
        name=name,
        title=table["title"],
        about=table["about"],
        seed=table["seed"],
        facts=tuple(map(str, table["facts"])),
        steps=tuple(steps),
        path=shown_as,
    )


def _step(table: Table, line: int, shown_as: str) -> Step:
    where = f"{shown_as}:{line}"
    do = table.pop("do", None)
    form = FORMS.get(do) if isinstance(do, str) else None
    if form is None:
        near = difflib.get_close_matches(str(do), FORMS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"{where}: unknown step {do!r}; {hint}steps are {', '.join(FORMS)}")
    expect = table.pop("expect", {})
    _check_keys(table, needs=form.needs, takes=form.takes, where=where, what=f"step {do!r}")
    if not isinstance(expect, dict):
        raise UsageError(f"{where}: expect is a table, as in expect = {{ stdout = 'hi' }}")
    what = f"expect of step {do!r}"
    _check_keys(expect, needs={}, takes=form.shows, where=where, what=what)
    return Step(line, str(do), table, expect)


def _check_keys(
    table: Table, *, needs: dict[str, type], takes: dict[str, type], where: str, what: str
) -> None:
    known = needs | takes
    for key, value in table.items():
        if key not in known:
            listed = ", ".join(known) or "nothing"
            raise UsageError(f"{where}: {what} does not know {key!r}; it takes {listed}")
        # In Python a bool is an int; in a scenario it is not.
        if type(value) is not known[key]:
            raise UsageError(f"{where}: {what} wants {key} as {known[key].__name__}")
    for key in needs:
        if key not in table:
            raise UsageError(f"{where}: {what} needs {key}")


def _step_lines(text: str) -> list[int]:
    """Line numbers of the step headers; the TOML parser of the standard library keeps none.

    A line that merely looks like a header, inside a text of several lines, is told by what stands
    before it: that is not TOML by itself.
    """
    lines = text.splitlines(keepends=True)
    found = []
    for number, line in enumerate(lines, start=1):
        if "".join(line.partition("#")[0].split()) == "[[step]]":
            try:
                tomllib.loads("".join(lines[: number - 1]))
            except tomllib.TOMLDecodeError:
                continue
            found.append(number)
    return found
