"""Writes seeds as TOML that people read: a table of its own for what is long."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

from fake_e2b.domain.forms import camel
from fake_e2b.domain.seed.forms import NOT_EXPORTED, SECTIONS
from fake_e2b.domain.seed.reading import TOKENS

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_SHORT = {"\b": "\\b", "\f": "\\f", "\r": "\\r"}


def seed_toml(document: Mapping[str, Any]) -> str:
    """The TOML file of an export in the form of JSON; what is not in it stands on top."""
    left = document.get(camel(NOT_EXPORTED), [])
    parts = [_heading(left)]
    tokens = document.get(camel(TOKENS), [])
    if tokens:
        parts.append(f"{TOKENS} = {_value(tokens)}\n")
    for section, form in SECTIONS.items():
        names = {camel(each.name): each.name for each in dataclasses.fields(form)}
        for table in document.get(section, []):
            parts.append(_table(section, {names[key]: each for key, each in table.items()}))
    return "\n".join(parts)


def left_out(document: Mapping[str, Any]) -> list[str]:
    """A sentence for each thing that an export has left out."""
    return [
        f"{each['what']} {each['name']}"
        + (f" of team {each['team']}" if "team" in each else "")
        + f": {each['why']}"
        for each in document.get(camel(NOT_EXPORTED), [])
    ]


def _heading(left: Iterable[Mapping[str, str]]) -> str:
    lines = ["# Fill a fake with it: fake-e2b seed FILE, or fake-e2b serve --fill FILE"]
    sentences = left_out({camel(NOT_EXPORTED): left})
    if sentences:
        lines += ["#", "# Not exported:", *(f"# - {_one_line(each)}" for each in sentences)]
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return " ".join(_CONTROL.sub("?", text).split())


def _table(section: str, table: Mapping[str, Any]) -> str:
    plain = {key: each for key, each in table.items() if not isinstance(each, Mapping)}
    # A value that an environment variable will have is short.
    plain |= {key: each for key, each in table.items() if key in ("value", "secret")}
    lines = [f"[[{section}]]", *(f"{key} = {_value(each)}" for key, each in plain.items())]
    for key, each in table.items():
        if key not in plain and each:
            lines += ["", f"[{section}.{key}]"]
            lines += [f"{_key(inner)} = {_value(value)}" for inner, value in each.items()]
    return "\n".join(lines) + "\n"


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _basic(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # A text of one line, whatever its end, is read more easily beside its key.
        return _lines(value) if "\n" in value[:-1] else _basic(value)
    if isinstance(value, Mapping):
        pairs = [f"{_key(key)} = {_value(each)}" for key, each in value.items() if each is not None]
        return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(each) for each in value)}]"
    return repr(value)


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\\\")
    return _CONTROL.sub(lambda found: _SHORT.get(found[0], f"\\u{ord(found[0]):04x}"), text)


def _basic(text: str) -> str:
    text = _escaped(text).replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{text}"'


def _lines(text: str) -> str:
    text = _escaped(text).replace('"""', '""\\"')
    if text.endswith('"'):
        text = text[:-1] + '\\"'
    return f'"""\n{text}"""'
