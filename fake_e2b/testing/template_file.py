"""Templates from TOML, for the commands and scenarios."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fake_e2b.domain.errors import UsageError
from fake_e2b.testing.templates import SandboxTemplate, TemplateFile

_MODE = re.compile(r"[0-7]{3,4}")


def load_templates(path: Path) -> list[SandboxTemplate]:
    """Templates from a TOML file: tables `[[template]]` with the fields of `SandboxTemplate`.

    In `files` a value is a text or a table with `text` or `source` (a path beside the TOML file,
    relative and without ``..``), `mode` (octal digits) and `owner`.

    Raises:
        UsageError: The file cannot be read, or something in it cannot be.
    """
    try:
        tables = tomllib.loads(path.read_text()).get("template", [])
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        raise UsageError(f"{path}: write each template as a table [[template]]")
    return [template_from_table(dict(table), path) for table in tables]


_FIELDS = {name: kind for name, kind in SandboxTemplate.__annotations__.items() if name != "_"}
_KINDS: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "str | None": (str,),
    "int": (int,),
    "int | None": (int,),
    "float": (int, float),
}


def template_from_table(table: dict[str, Any], path: Path) -> SandboxTemplate:
    """One template from its table in the file at `path`.

    Raises:
        UsageError: As `load_templates`.
    """
    name = table.get("name")
    if not isinstance(name, str):
        raise UsageError(f"{path}: a template has no name")
    for key, value in table.items():
        kind = _FIELDS.get(key)
        if kind is None:
            raise UsageError(f"{path}: template {name!r} has no field {key!r}")
        expected = _KINDS.get(kind, (dict,))
        if not isinstance(value, expected) or isinstance(value, bool):
            raise UsageError(f"{path}: template {name!r}: {key} is no {expected[0].__name__}")
    if not all(isinstance(value, str) for value in table.get("env", {}).values()):
        raise UsageError(f"{path}: template {name!r}: write the values of env as texts")
    files = {
        target: _file(value, f"{path}: template {name!r}: {target}", path.parent)
        for target, value in table.get("files", {}).items()
    }
    return SandboxTemplate(**{**table, "files": files})


def _file(value: object, where: str, folder: Path) -> TemplateFile:
    if isinstance(value, str):
        return TemplateFile(value)
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise UsageError(f"{where}: give a text or a table of texts")
    fields = dict(value)
    content: str | Path | None = fields.pop("text", None)
    if (source := fields.pop("source", None)) is not None:
        if content is not None or Path(source).is_absolute() or ".." in Path(source).parts:
            raise UsageError(f"{where}: give a text, or a source beside the file and below it")
        content = folder / source
    mode = fields.pop("mode", None)
    owner = fields.pop("owner", None)
    if content is None or fields or (mode is not None and not _MODE.fullmatch(mode)):
        raise UsageError(f"{where}: a file has text or source, and mode ('755') and owner")
    return TemplateFile(content, None if mode is None else int(mode, 8), owner)
