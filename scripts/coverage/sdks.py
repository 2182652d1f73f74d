"""The public methods of the installed SDKs, by class, as Python writes their names."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PYTHON, ASYNC, JAVASCRIPT = "Python", "Python async", "JavaScript"
SDKS = (PYTHON, ASYNC, JAVASCRIPT)
Methods = dict[tuple[str, str], set[str]]
"""Class and method to the SDKs that have it."""

_PACKAGES = ("e2b", "e2b_code_interpreter", "e2b_desktop")
PYTHON_PACKAGES = tuple(name.replace("_", "-") for name in _PACKAGES)
"""The names under which they are installed."""
_NODE_MODULES = Path(__file__).parents[2] / "tests" / "sdk" / "javascript" / "node_modules"
_NODE_PACKAGES = ("e2b", "@e2b/code-interpreter")
_SAME = {"TemplateBase": "Template", "TemplateBuilder": "Template"}
"""Parts of what users know as one thing."""
_DESKTOP = {"Sandbox": "Desktop sandbox", "_VNCServer": "Desktop sandbox's stream"}
"""Of the desktop's package: its classes have names of their own here, and what they inherit is
with the class that they have it from."""


def python_methods() -> Methods:
    """Of the exported classes, and of those that their methods and properties give."""
    found: Methods = {}
    waiting = [
        value
        for package in map(importlib.import_module, _PACKAGES)
        for name in getattr(package, "__all__", dir(package))
        if _is_ours(value := getattr(package, name, None))
    ]
    seen: set[type] = set()
    while waiting:
        owner = waiting.pop()
        if owner in seen:
            continue
        seen.add(owner)
        for name, function, is_property in _members(owner):
            waiting += filter(_is_ours, _given_by(function))
            if not is_property:
                found.setdefault((_title(owner), name), set()).update(_sdks_of(owner))
    return found


def _members(owner: type) -> Iterator[tuple[str, Any, bool]]:
    for name in dir(owner):
        homes = [base for base in owner.__mro__ if name in vars(base)]
        if _is_desktops(owner):
            homes = [base for base in homes if _is_desktops(base)]
        if name.startswith("_") or not any(map(_is_ours, homes)):
            continue
        static = inspect.getattr_static(owner, name)
        if isinstance(static, property):
            yield name, static.fget, True
        elif callable(value := getattr(owner, name)) and not isinstance(value, type):
            yield name, value, False


def _given_by(function: Any) -> Iterator[type]:
    try:
        parts = [typing.get_type_hints(inspect.unwrap(function)).get("return")]
    except (NameError, TypeError):
        return
    while parts:
        part = parts.pop()
        parts += typing.get_args(part)
        if isinstance(part, type):
            yield part


def _is_ours(value: object) -> typing.TypeGuard[type]:
    return (
        isinstance(value, type)
        and value.__module__.partition(".")[0] in _PACKAGES
        and not issubclass(value, BaseException)
    )


def _is_desktops(owner: type) -> bool:
    return owner.__module__.partition(".")[0] == "e2b_desktop"


def _sdks_of(owner: type) -> tuple[str, ...]:
    if _is_desktops(owner):
        return (PYTHON,)
    if owner.__name__.startswith("Async") or "_async" in owner.__module__:
        return (ASYNC,)
    return (PYTHON,) if "_sync" in owner.__module__ else (PYTHON, ASYNC)


def _title(owner: type) -> str:
    return _DESKTOP[owner.__name__] if _is_desktops(owner) else _plain(owner.__name__)


def _plain(name: str) -> str:
    name = name.removeprefix("Async")
    return _SAME.get(name, name)


# -- JavaScript ------------------------------------------------------------------------------------

_CLASS = re.compile(
    r"^declare (?:abstract )?class (\w+)(?: extends (\w+))?.*?\{$(.*?)^\}", re.M | re.S
)
_COMMENT = re.compile(r"/\*.*?\*/", re.S)
_METHOD = re.compile(r"^(?:  |    )(?:static |abstract )*(\w+)(?:<[^(\n]*>)?\(", re.M)
_EXPORTS = re.compile(r"^export \{(.*?)\}", re.M | re.S)


def javascript_methods() -> Methods | None:
    """The same of the declarations that the JavaScript packages publish; None without them.

    The declarations and not the running code: they alone say what is private.
    """
    found: Methods = {}
    classes: dict[str, tuple[str, str]] = {}
    for file in (_NODE_MODULES / each / "dist" / "index.d.ts" for each in _NODE_PACKAGES):
        if not file.is_file():
            return None
        text = _COMMENT.sub("", file.read_text(encoding="utf-8"))
        # The second package's `Sandbox$1` is the first one's class of that name.
        own = {name: (parent, body) for name, parent, body in _CLASS.findall(text)}
        for name, (parent, body) in own.items():
            inherited = classes.get(name, ("", ""))[1] if name == parent else ""
            classes[name] = (parent if name != parent else "", body + inherited)
        exported = {
            each.strip().removeprefix("type ").partition(" as ")[0]
            for listed in _EXPORTS.findall(text)
            for each in listed.split(",")
        }
        for name in _reached(exported & own.keys(), classes):
            for method in _methods(name, classes):
                found.setdefault((_plain(name), _snake(method)), set()).add(JAVASCRIPT)
    return found


def javascript_versions() -> Iterator[tuple[str, str]]:
    """Name and version of each of these packages."""
    for name in _NODE_PACKAGES:
        package = (_NODE_MODULES / name / "package.json").read_text(encoding="utf-8")
        yield name, json.loads(package)["version"]


def _reached(names: set[str], classes: dict[str, tuple[str, str]]) -> set[str]:
    """These classes and those that their members name."""
    waiting, seen = list(names), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen or _is_error(name, classes):
            continue
        seen.add(name)
        waiting += classes.keys() & set(re.findall(r"\w+", _public(name, classes)))
    return seen


def _public(name: str, classes: dict[str, tuple[str, str]]) -> str:
    parent, body = classes.get(name, ("", ""))
    if not body:
        return ""
    lines = re.sub(r"^ +(?:private|protected|constructor)\b[^\n]*\n", "", body, flags=re.M)
    return lines + _public(parent, classes)


def _methods(name: str, classes: dict[str, tuple[str, str]]) -> set[str]:
    return set(_METHOD.findall(_public(name, classes)))


def _is_error(name: str, classes: dict[str, tuple[str, str]]) -> bool:
    while name in classes:
        name = classes[name][0]
    return name == "Error"


def _snake(name: str) -> str:
    """As Python would write it.

    >>> _snake("fromAWSRegistry"), _snake("toJSON")
    ('from_aws_registry', 'to_json')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
