"""Reads declared values from tables: one language for Python, JSON and TOML.

A value that users write down (a match, an effect, an expectation) is a frozen dataclass. Its fields
are the keys of the table, in snake_case or in camelCase, its annotations say what they hold, and
``field(metadata=about("…"))`` says what for. What only Python can say (a function) is marked with
``field(metadata=PYTHON_ONLY)``.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from fake_e2b.domain.errors import UsageError

Value = TypeVar("Value")

_PYTHON_ONLY = "python_only"
_ABOUT = "about"
PYTHON_ONLY: Mapping[str, Any] = {_PYTHON_ONLY: True}
_JSON_TYPES: Mapping[object, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
}


def about(text: str) -> Mapping[str, Any]:
    """A field's metadata: what it is for, as the served document shows it."""
    return {_ABOUT: text}


def camel(name: str) -> str:
    """``retry_after_s`` → ``retryAfterS``."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the valid word nearest to `word`; empty when none is near."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""


def refuse_unknown(word: str, known: Iterable[str], what: str) -> None:
    """Refuse a word that is not one of `known`.

    Raises:
        UsageError: Naming the nearest valid word, and all of them.
    """
    known = list(known)
    if word not in known:
        listed = ", ".join(known)
        raise UsageError(f"there is no {what} {word!r}{nearest(word, known)}; there are {listed}")


def read(cls: type[Value], table: object, where: str) -> Value:
    """The value that a table describes.

    Args:
        where: What the table is, for errors: ``"effect"``.

    Raises:
        UsageError: It is no table, has a key too many or too few, or a value of the wrong kind;
            or the value itself is refused by the class.
    """
    fields = _fields(cls)
    if not isinstance(table, Mapping):
        raise UsageError(f"{where} must be a table of {', '.join(map(camel, fields)) or 'nothing'}")
    hints = _hints(cls)
    by_key = {name: name for name in fields} | {camel(name): name for name in fields}
    found: dict[str, Any] = {}
    for key, value in table.items():
        name = by_key.get(key)
        if name is None:
            listed = ", ".join(map(camel, fields)) or "nothing"
            hint = nearest(str(key), by_key)
            raise UsageError(f"{where} does not know {str(key)!r}{hint}; it takes {listed}")
        if value is not None:
            found[name] = _value(hints[name], value, f"{where}: {key}")
    for name, declared in fields.items():
        if name not in found and _is_required(declared):
            raise UsageError(f"{where} needs {camel(name)!r}")
    return cls(**found)


def write(value: object) -> dict[str, Any]:
    """A declared value as a JSON table; what holds its default is left out."""
    table: dict[str, Any] = {}
    for name, declared in _fields(type(value)).items():
        held = getattr(value, name)
        default = declared.default
        if declared.default_factory is not dataclasses.MISSING:
            default = declared.default_factory()
        if held != default:
            table[camel(name)] = _plain(held)
    return table


def schema(cls: type) -> dict[str, Any]:
    """The JSON schema of the tables that `read` takes."""
    hints = get_type_hints(cls)
    fields = _fields(cls)
    properties = {}
    for name, declared in fields.items():
        described = _schema(hints[name])
        if text := declared.metadata.get(_ABOUT):
            described = {**described, "description": text}
        properties[camel(name)] = described
    required = [camel(name) for name, declared in fields.items() if _is_required(declared)]
    shape: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    return {**shape, "required": required} if required else shape


_hints: Callable[[Any], Mapping[str, Any]] = cache(get_type_hints)
"""What a class's fields hold, worked out once: that takes longer than reading a table."""


def _fields(cls: type) -> dict[str, dataclasses.Field[Any]]:
    return {
        declared.name: declared
        for declared in dataclasses.fields(cls)
        if declared.init and not declared.metadata.get(_PYTHON_ONLY)
    }


def _is_required(declared: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return declared.default is missing and declared.default_factory is missing


def _alternatives(hint: Any) -> list[Any]:
    if get_origin(hint) in (Union, types.UnionType):
        return [each for each in get_args(hint) if each is not type(None)]
    return [hint]


def _value(hint: Any, value: Any, where: str) -> Any:
    choices = _alternatives(hint)
    for choice in choices:
        try:
            return _one(choice, value)
        except _WrongKindError:
            continue
    raise UsageError(f"{where} must be {' or '.join(map(_named, choices))}, not {value!r}")


class _WrongKindError(Exception):
    pass


def _one(hint: Any, value: Any) -> Any:
    origin = get_origin(hint)
    if hint is Any:
        return value
    if origin is Literal:
        if value in get_args(hint):
            return value
    elif origin in (tuple, list) or origin is typing.get_origin(typing.Sequence[str]):
        inner = get_args(hint)[0]
        if isinstance(value, list | tuple):
            return tuple(_one(inner, each) for each in value)
    elif origin is not None and issubclass(origin, Mapping):
        inner = get_args(hint)[1]
        if isinstance(value, Mapping):
            return {str(key): _one(inner, each) for key, each in value.items()}
    elif hint is datetime:
        return _instant(value)
    elif hint is float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            if not math.isfinite(value):
                raise _WrongKindError
            return float(value)
    elif isinstance(hint, type) and type(value) is hint:
        return value
    raise _WrongKindError


def _instant(value: Any) -> datetime:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise _WrongKindError from None
    if not isinstance(found, datetime) or found.tzinfo is None:
        raise _WrongKindError
    return found.astimezone(UTC)


def _named(hint: Any) -> str:
    origin = get_origin(hint)
    if origin is Literal:
        return " or ".join(repr(each) for each in get_args(hint))
    if origin is not None and issubclass(origin, Mapping):
        return "a table"
    if origin is not None:
        return f"a list of {_named(get_args(hint)[0])}"
    names = {
        str: "a text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        datetime: "an instant such as 2026-01-31T12:00:00Z",
    }
    return names.get(hint, "anything")


def _schema(hint: Any) -> dict[str, Any]:
    choices = _alternatives(hint)
    if len(choices) > 1:
        return {"anyOf": [_schema(each) for each in choices]}
    hint = choices[0]
    origin = get_origin(hint)
    if hint is Any:
        return {}
    if hint is datetime:
        return {"type": "string", "format": "date-time"}
    if origin is Literal:
        return {"enum": list(get_args(hint))}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(get_args(hint)[1])}
    if origin is not None:
        return {"type": "array", "items": _schema(get_args(hint)[0])}
    return {"type": _JSON_TYPES[hint]}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value
