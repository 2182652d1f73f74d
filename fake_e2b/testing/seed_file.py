"""Reads the files that fakes are filled with: TOML or JSON, errors with the line.

What only the machine with the file knows is put in here: contents of files beside it, and values
of environment variables.
"""

from __future__ import annotations

import base64
import json
import os
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import camel
from fake_e2b.domain.seed.forms import SECTIONS, Seed, SeedError
from fake_e2b.domain.seed.outcome import SeedFailedError
from fake_e2b.domain.seed.reading import TOKENS, read_seed
from fake_e2b.testing.toml_lines import TomlLines

SeedSource = str | Path | Mapping[str, Any]
"""A file's path, or a mapping of its form; relative paths in that start in the current folder."""
_VARIABLE = "env"
_SECRET_KEYS: Mapping[str, Sequence[str]] = {
    "team": ("api_keys", "apiKeys"),
    "secret": ("value", "versions"),
    "webhook": ("secret",),
    "sandbox": ("envs", "network"),
}
"""Where a table `{ env = "NAME" }` stands for the value of a variable."""


@dataclass(frozen=True, slots=True)
class LoadedSeed:
    """A seed with everything it refers to.

    Attributes:
        document: The same in the form of JSON, as `/_fake/seed` takes it.
        place: ``file:line`` of the table of a section, for errors; "" without a file.
    """

    seed: Seed
    document: Mapping[str, Any]
    place: Callable[[str | None, int], str]

    @contextmanager
    def placed(self) -> Iterator[None]:
        """Put the file and the line before what is refused inside the block."""
        try:
            yield
        except (SeedError, SeedFailedError) as error:
            prefix = self.place(error.section, error.index)
            text = f"{prefix}: {error}" if prefix else str(error)
            raise type(error)(text, error.section, error.index) from error


def load_seed(source: SeedSource) -> LoadedSeed:
    """The seed in a file, or in a mapping.

    Raises:
        SeedError: It cannot be read, or says something that no fake could be filled with.
    """
    if isinstance(source, Mapping):
        return _loaded(source, Path(), lambda section, index: "")
    path = Path(source)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SeedError(f"{path}: cannot be read: {error}") from error
    table, lines = (_json if path.suffix == ".json" else _toml)(text, str(path))

    def place(section: str | None, index: int) -> str:
        numbers = [] if section is None else lines(section)
        return f"{path}:{numbers[index] if index < len(numbers) else 1}"

    return _loaded(table, path.parent, place)


Lines = Callable[[str], Sequence[int]]


def _toml(text: str, shown_as: str) -> tuple[Mapping[str, Any], Lines]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SeedError(f"{shown_as}: not TOML: {error}") from error
    lines = TomlLines(text, shown_as)
    return table, lambda section: lines.headers(f"[[{section}]]")


def _json(text: str, shown_as: str) -> tuple[Mapping[str, Any], Lines]:
    try:
        table = json.loads(text)
    except ValueError as error:
        raise SeedError(f"{shown_as}: not JSON: {error}") from error
    if not isinstance(table, dict):
        raise SeedError(f"{shown_as}: a seed is an object")
    return table, lambda section: _json_lines(text, section)


def _json_lines(text: str, section: str) -> Sequence[int]:
    """Lines of the tables of a section in a valid text."""
    decoder = json.JSONDecoder()

    def skip(at: int) -> int:
        while text[at] in " \t\r\n,:":
            at += 1
        return at

    found: list[int] = []
    at = skip(text.index("{") + 1)
    while text[at] != "}":
        key, at = decoder.raw_decode(text, at)
        at = skip(at)
        if key != section or text[at] != "[":
            at = skip(decoder.raw_decode(text, at)[1])
            continue
        at, found = skip(at + 1), []
        while text[at] != "]":
            found.append(text.count("\n", 0, at) + 1)
            at = skip(decoder.raw_decode(text, at)[1])
        at = skip(at + 1)
    return found


def _loaded(
    table: Mapping[str, Any], folder: Path, place: Callable[[str | None, int], str]
) -> LoadedSeed:
    try:
        document = _completed(table, folder)
        return LoadedSeed(read_seed(document), document, place)
    except SeedError as error:
        prefix = place(error.section, error.index)
        text = f"{prefix}: {error}" if prefix else str(error)
        raise SeedError(text, error.section, error.index) from error


def _completed(table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The same with contents and values in the place of what names them."""
    document: dict[str, Any] = dict(table)
    for key in (TOKENS, camel(TOKENS)):
        if isinstance(document.get(key), list):
            try:
                document[key] = _with_variables(document[key])
            except UsageError as error:
                raise SeedError(f"{key}: {error}") from error
    for section in SECTIONS:
        if isinstance(document.get(section), list | tuple):
            document[section] = [
                _completed_table(section, index, each, folder)
                for index, each in enumerate(document[section])
            ]
    return document


def _completed_table(section: str, index: int, table: Any, folder: Path) -> Any:
    if not isinstance(table, Mapping):
        return table
    completed = dict(table)
    try:
        for key in _SECRET_KEYS.get(section, ()):
            if key in completed:
                completed[key] = _with_variables(completed[key])
        if isinstance(completed.get("files"), Mapping):
            completed["files"] = _with_sources(completed["files"], folder)
    except UsageError as error:
        name = table.get("name", table.get("slug"))
        raise SeedError(f"{section} {name!r}: {error}", section, index) from error
    return completed


def _with_variables(value: Any) -> Any:
    if isinstance(value, Mapping):
        if set(value) == {_VARIABLE} and isinstance(value[_VARIABLE], str):
            found = os.environ.get(value[_VARIABLE])
            if found is None:
                raise UsageError(f"the environment has no variable {value[_VARIABLE]}")
            return found
        return {key: _with_variables(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_with_variables(each) for each in value]
    return value


def _with_sources(files: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, value in files.items():
        if not isinstance(value, Mapping) or "source" not in value:
            found[path] = value
            continue
        source = value["source"]
        parts = Path(source).parts if isinstance(source, str) else ("..",)
        if ".." in parts or Path(source).is_absolute():
            raise UsageError(f"{path}: give a source beside the file and below it, not {source!r}")
        if {"text", "base64", "link", "folder"} & set(value):
            raise UsageError(f"{path}: give a source, or a content, not both")
        more = {key: each for key, each in value.items() if key != "source"}
        try:
            _add_source(found, path.rstrip("/"), folder / source, more)
        except OSError as error:
            raise UsageError(
                f"{path}: {error.filename} cannot be read: {error.strerror}"
            ) from error
    return found


def _add_source(found: dict[str, Any], path: str, local: Path, more: Mapping[str, Any]) -> None:
    if local.is_dir():
        entries = sorted(local.iterdir())
        if not entries:
            found[path] = {key: each for key, each in more.items() if key != "mode"} | {
                "folder": True
            }
        for entry in entries:
            if entry.is_symlink():
                owner = {key: each for key, each in more.items() if key == "owner"}
                found[f"{path}/{entry.name}"] = {"link": os.readlink(entry), **owner}
            else:
                _add_source(found, f"{path}/{entry.name}", entry, more)
        return
    mode = local.stat().st_mode
    if not stat.S_ISREG(mode):  # reading a FIFO, say, would wait for ever
        raise UsageError(f"{path}: {local} is neither a file nor a folder")
    content = local.read_bytes()
    # Of a mode, only this is the same wherever a repository is checked out.
    executable = {"mode": "755"} if mode & stat.S_IXUSR else {}
    try:
        found[path] = {"text": content.decode(), **executable, **more}
    except UnicodeDecodeError:
        found[path] = {"base64": base64.b64encode(content).decode(), **executable, **more}
