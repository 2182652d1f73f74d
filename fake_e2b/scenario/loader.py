"""Reads a scenario file and refuses what it does not understand, naming the line."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import read
from fake_e2b.domain.steering.profiles import profile
from fake_e2b.scenario.reading import check_keys, read_step
from fake_e2b.scenario.references import References
from fake_e2b.scenario.story import Scenario, Start, StartSandbox
from fake_e2b.testing.template_file import template_from_table
from fake_e2b.testing.toml_lines import TomlLines

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
    source = TomlLines(text, shown_as)
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


def _tables(value: object, key: str) -> list[dict[str, Any]]:
    if isinstance(value, list) and all(isinstance(each, dict) for each in value):
        return value
    raise UsageError(f"write each {key} as a table [[{key}]]")
