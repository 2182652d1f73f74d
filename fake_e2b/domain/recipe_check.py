"""What no template can be, said in the words of whoever wrote it down.

One check for templates from Python, from files and from whatever a fake is filled with.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import replace

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.recipe import Definition, Folder, Item, Recipe
from fake_e2b.domain.template import BadReferenceError, parse_reference
from fake_e2b.domain.user import BUILT_IN_USERS

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_ON_DISK = ("proc", "sys", "dev")
_SMALLEST_MEMORY_MB = 128


def check_definition(definition: Definition) -> None:
    """Refuse what is wrong with a template, its files apart.

    Raises:
        UsageError: The text says what.
    """
    for what, text in (("name", definition.name), ("from_template", definition.recipe.base)):
        try:
            reference = parse_reference(text)
        except BadReferenceError as error:
            raise UsageError(f"{what} {text!r}: {error.args[0]}") from error
        if what == "name" and reference.namespace is not None:
            raise UsageError(f"name {text!r}: it has no namespace, the team's is put in front")
    check_user(definition.user)
    if definition.workdir is not None:
        if not definition.workdir.startswith("/"):
            raise UsageError(f"workdir {definition.workdir!r} is not absolute")
        file_path(definition.workdir)
    for name, value in definition.env_vars:
        if not _VARIABLE.fullmatch(name) or "\0" in value:
            raise UsageError(f"env {name!r}: no variable can have that name or value")
    if "\0" in definition.start_command + definition.ready_command:
        raise UsageError("a command holds a NUL")
    if not definition.ready_timeout_s > 0:
        raise UsageError(f"ready_timeout_s {definition.ready_timeout_s!r}: give more than 0")
    for what, number, least in (
        ("cpu_count", definition.cpu_count, 1),
        ("memory_mb", definition.memory_mb, _SMALLEST_MEMORY_MB),
        ("disk_size_mb", definition.disk_size_mb, 0),
        ("memory_limit_mb", definition.memory_limit_mb, 1),
        ("disk_limit_mb", definition.disk_limit_mb, 1),
    ):
        if number is not None and number < least:
            raise UsageError(f"{what} {number!r}: give at least {least}")


def check_user(name: str | None) -> None:
    """Refuse a user that no sandbox has; None is nobody in particular.

    Raises:
        UsageError: There is none of that name.
    """
    if name is not None and name not in BUILT_IN_USERS:
        known = " and ".join(sorted(BUILT_IN_USERS))
        raise UsageError(f"there is no user {name!r} in a sandbox, only {known}")


def file_path(path: str) -> str:
    """The path of a file in a sandbox, cleaned; a relative one stays relative.

    Raises:
        UsageError: No file can be there.
    """
    if ".." in path.split("/") or "\0" in path or not path.strip("/."):
        raise UsageError(f"path {path!r}: give a file's path, without '..'")
    clean = posixpath.normpath(re.sub("^/+", "/", path))
    if clean.startswith("/") and clean.split("/")[1] in _NOT_ON_DISK:
        raise UsageError(f"path {path!r} is the machine's own, no file can be there")
    return clean


def with_items(definition: Definition, items: Iterable[Item]) -> Definition:
    """The same template with files, and with its folder, which is made first."""
    if definition.workdir is None:
        return replace(definition, recipe=Recipe(definition.recipe.base, tuple(items)))
    workdir = posixpath.normpath(definition.workdir)
    made = (Folder(workdir, ""), *items)
    return replace(definition, workdir=workdir, recipe=Recipe(definition.recipe.base, made))
