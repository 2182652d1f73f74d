"""Templates as JSON: their builds refer to each other, and are one thing each for all of them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from pydantic import TypeAdapter

from fake_e2b.domain.build import DockerfileRequest, LogLine, Reason
from fake_e2b.domain.ids import SandboxID, TeamID, TemplateID
from fake_e2b.domain.limits import Limits
from fake_e2b.domain.ports import LayerID
from fake_e2b.domain.recipe import File, Folder, Item, Link, Recipe
from fake_e2b.domain.setup import Setup
from fake_e2b.domain.template import Assignment, Build, BuildStatus, Template


@dataclass(frozen=True, slots=True)
class _Item:
    """A recipe's item; what it is shows in what it has."""

    path: str
    owner: str
    mode: int = 0
    target: str | None = None
    base64: str | None = None
    copied_from: str | None = None


@dataclass(frozen=True, slots=True)
class _Recipe:
    base: str
    items: tuple[_Item, ...]


@dataclass(frozen=True, slots=True)
class _Build:
    build_id: str
    created_at_ns: int
    status: BuildStatus
    setup: Setup
    layer_id: LayerID | None
    source_id: SandboxID | None
    cpu_count: int
    memory_mb: int
    disk_size_mb: int
    updated_at_ns: int
    finished_at_ns: int | None
    log: list[LogLine]
    reason: Reason | None
    dockerfile: DockerfileRequest | None
    recipe: _Recipe | None
    base: str | None


@dataclass(frozen=True, slots=True)
class _Assignment:
    assignment_id: str
    tag: str
    build: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class _Template:
    template_id: TemplateID
    team_id: TeamID | None
    namespace: str | None
    aliases: tuple[str, ...]
    public: bool
    envd_version: str
    created_at_ns: int
    updated_at_ns: int
    limits: Limits
    is_snapshot: bool
    is_default: bool
    bare_names: bool
    was_given: bool
    spawned: int
    last_spawned_at_ns: int | None
    builds: list[_Build] = field(default_factory=list)
    assignments: list[_Assignment] = field(default_factory=list)


_ADAPTER = TypeAdapter(_Template)
_OWN = [each.name for each in fields(_Template)][:-2]
_OF_BUILD = [each.name for each in fields(_Build)][:-2]


def write_template(template: Template) -> bytes:
    """A template with its builds.

    Those that are there after every reset are not among them: whoever starts the next server
    gives them again. A platform's own have nobody else to do it.
    """
    given = () if template.is_default else template.lasting_builds
    builds = [each for each in template.history if each not in given]
    return _ADAPTER.dump_json(
        _Template(
            **{name: getattr(template, name) for name in _OWN},
            builds=[_written(each) for each in builds],
            assignments=[
                _Assignment(each.assignment_id, each.tag, each.build.build_id, each.at_ns)
                for each in template.assignments
                if each.build in builds
            ],
        )
    )


def _written(build: Build) -> _Build:
    kept = {name: getattr(build, name) for name in _OF_BUILD}
    if build.recipe is None:
        return _Build(**kept, recipe=None, base=None)
    # Made again when it is needed: it can be.
    kept["layer_id"] = None
    items = tuple(map(_written_item, build.recipe.items))
    base = None if build.base is None else build.base.build_id
    return _Build(**kept, recipe=_Recipe(build.recipe.base, items), base=base)


def _written_item(item: Item) -> _Item:
    if isinstance(item, Folder):
        return _Item(item.path, item.owner, item.mode)
    if isinstance(item, Link):
        return _Item(item.path, item.owner, target=item.target)
    if isinstance(item.content, str):
        return _Item(item.path, item.owner, item.mode, copied_from=item.content)
    text = base64.b64encode(item.content).decode()
    return _Item(item.path, item.owner, item.mode, base64=text)


def _read_item(item: _Item) -> Item:
    if item.target is not None:
        return Link(item.path, item.owner, item.target)
    if item.copied_from is not None:
        return File(item.path, item.owner, item.copied_from, item.mode)
    if item.base64 is not None:
        return File(item.path, item.owner, base64.b64decode(item.base64), item.mode)
    return Folder(item.path, item.owner, item.mode)


def read_templates(texts: Sequence[bytes]) -> list[Template]:
    """All templates; a build that starts from another one starts from what was read, if it was."""
    kept = [_ADAPTER.validate_json(text) for text in texts]
    builds: dict[str, Build] = {}
    for one in (build for each in kept for build in each.builds):
        recipe = None
        if one.recipe is not None:
            recipe = Recipe(one.recipe.base, tuple(map(_read_item, one.recipe.items)))
        values = {name: getattr(one, name) for name in _OF_BUILD}
        builds[one.build_id] = Build(**values, recipe=recipe)
    for one in (build for each in kept for build in each.builds):
        if one.base is not None:
            builds[one.build_id].base = builds.get(one.base)
    return [_read(each, builds) for each in kept]


def _read(kept: _Template, builds: dict[str, Build]) -> Template:
    template = Template(**{name: getattr(kept, name) for name in _OWN})
    template.history = [builds[each.build_id] for each in kept.builds]
    template.assignments = [
        Assignment(each.assignment_id, each.tag, builds[each.build], each.at_ns)
        for each in kept.assignments
        if each.build in builds
    ]
    return template
