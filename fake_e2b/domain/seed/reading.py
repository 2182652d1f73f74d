"""Tables become a seed, or are refused before anything is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import camel, nearest, read
from fake_e2b.domain.recipe import Definition, File, Folder, Item, Link, Recipe
from fake_e2b.domain.recipe_check import check_definition, check_user, file_path, with_items
from fake_e2b.domain.seed.forms import (
    NOT_EXPORTED,
    SECTIONS,
    Filed,
    FileForm,
    KeyForm,
    SandboxForm,
    Seed,
    SeedError,
    TeamForm,
    TemplateForm,
    TokenForm,
    VolumeForm,
)
from fake_e2b.domain.volume import clean_path

Value = TypeVar("Value")
TOKENS = "access_tokens"
_KNOWN = (*SECTIONS, TOKENS, NOT_EXPORTED)


def read_seed(table: Mapping[str, Any]) -> Seed:
    """The seed that a table describes.

    Raises:
        SeedError: It says something that no fake could be filled with, whatever is in it.
    """
    names = {name: name for name in _KNOWN} | {camel(name): name for name in _KNOWN}
    found: dict[str, Any] = {}
    for key, value in table.items():
        if key not in names:
            listed, hint = ", ".join(_KNOWN[:-1]), nearest(str(key), names)
            raise SeedError(f"a seed does not know {key!r}{hint}; it takes {listed}")
        if names[key] in found:
            raise SeedError(f"a seed has {names[key]} once, as that or as {camel(names[key])}")
        found[names[key]] = value
    tables: list[Filed] = []
    for section in SECTIONS:
        for index, each in enumerate(_tables(found.get(section, []), section)):
            tables.append(_read_one(section, index, each))
    tokens = found.get(TOKENS, [])
    if not isinstance(tokens, list | tuple):
        raise SeedError(f"{TOKENS} is a list")
    try:
        return Seed(tables, [_text_or(TokenForm, each, "token", TOKENS) for each in tokens])
    except UsageError as error:
        raise SeedError(str(error)) from error


def _tables(value: Any, section: str) -> Sequence[Mapping[str, Any]]:
    if isinstance(value, list | tuple) and all(isinstance(each, Mapping) for each in value):
        return value
    raise SeedError(f"write each {section} as a table [[{section}]]")


def _read_one(section: str, index: int, table: Mapping[str, Any]) -> Filed:
    called = table.get("name", table.get("slug"))
    what = f"{section} {called!r}" if isinstance(called, str) else f"a {section}"
    try:
        form = read(SECTIONS[section], table, "the table")
        files = _files(form) if isinstance(form, _WITH_FILES) else {}
        keys: Sequence[KeyForm] = ()
        if isinstance(form, TeamForm):
            keys = [_text_or(KeyForm, each, "key", "api_keys") for each in form.api_keys]
        if isinstance(form, SandboxForm):
            check_user(form.user)
        definition = _definition(form, files) if isinstance(form, TemplateForm) else None
    except UsageError as error:
        raise SeedError(f"{what}: {error}", section, index) from error
    return Filed(section, index, form, files, keys, definition)


_WITH_FILES = (TemplateForm, VolumeForm, SandboxForm)


def _text_or(cls: type[Value], value: Any, key: str, where: str) -> Value:
    return read(cls, {key: value} if isinstance(value, str) else value, where)


def _files(form: TemplateForm | VolumeForm | SandboxForm) -> dict[str, FileForm]:
    found = {}
    for path, value in form.files.items():
        try:
            file = _text_or(FileForm, value, "text", "the file")
            check_user(file.owner)
            _check_fits(form, file)
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error
        found[clean_path(path) if isinstance(form, VolumeForm) else file_path(path)] = file
    if len(found) != len(form.files):
        raise UsageError("two of its files have the same path")
    return found


def _check_fits(form: TemplateForm | VolumeForm | SandboxForm, file: FileForm) -> None:
    if isinstance(form, VolumeForm):
        if file.owner is not None:
            raise UsageError("in a volume an owner is a number: uid and gid")
        if file.link is not None:
            raise UsageError("a volume is filled without links; sandboxes can make them in it")
    elif file.uid is not None or file.gid is not None:
        raise UsageError("uid and gid are for volumes; elsewhere say owner = 'user' or 'root'")


def _definition(form: TemplateForm, files: Mapping[str, FileForm]) -> Definition:
    bare = Definition(
        name=form.name,
        recipe=Recipe(form.from_template),
        user=form.user,
        workdir=form.workdir,
        env_vars=tuple(form.env.items()),
        start_command=form.start_command,
        ready_command=form.ready_command,
        ready_timeout_s=form.ready_timeout_s,
        cpu_count=form.cpu_count,
        memory_mb=form.memory_mb,
        disk_size_mb=form.disk_size_mb,
        memory_limit_mb=form.memory_limit_mb,
        disk_limit_mb=form.disk_limit_mb,
    )
    check_definition(bare)
    return with_items(bare, [_item(path, file) for path, file in files.items()])


def _item(path: str, file: FileForm) -> Item:
    owner = file.owner or ""
    if file.link is not None:
        return Link(path, owner, file.link)
    if file.folder:
        return Folder(path, owner, file.mode_or(0o755))
    return File(path, owner, file.content, file.mode_or(0o644))
