"""Templates, and the references by which requests name them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from fake_e2b.domain.errors import FakeE2BError
from fake_e2b.domain.ids import SandboxID, TeamID, TemplateID
from fake_e2b.domain.limits import NO_LIMITS, Limits
from fake_e2b.domain.ports import LayerID
from fake_e2b.domain.recipe import Recipe
from fake_e2b.domain.setup import PLAIN, Setup

DEFAULT_TAG = "default"
_NAME = re.compile(r"[a-z0-9-_]+")
_TAG = re.compile(r"[a-z0-9-_.]+")


@dataclass(slots=True, eq=False)
class Build:
    """One ready build of a template.

    Attributes:
        layer_id: The files its sandboxes start with; None for the machine's own, and while those
            of a `recipe` were never needed.
        setup: The rest of it.
        source_id: The sandbox that it is a snapshot of; None when it is none.
        recipe: How its files are made.
        base: What the recipe starts from.
        gone: Its template was deleted; what is to be made from it cannot be made any more.
    """

    build_id: str
    created_at_ns: int
    layer_id: LayerID | None = None
    setup: Setup = PLAIN
    source_id: SandboxID | None = None
    recipe: Recipe | None = None
    base: Build | None = None
    gone: bool = False


@dataclass(slots=True, eq=False)
class Template:
    """What a sandbox starts from.

    Attributes:
        team_id: The owner; None for the platform's own templates.
        namespace: The owner's slug; None for names that everyone sees without one.
        aliases: Names within the namespace, the first one is shown as a sandbox's alias.
        created_at_ns: When it was made.
        builds: Tag to its ready build, the one assigned last at the end.
        lasting: Those of the builds that outlive a reset, as everything known from the start.
        is_snapshot: It was made from a sandbox: listed with the snapshots, not the templates.
        limits: What its sandboxes may really use, whatever the sizes above say.
    """

    template_id: TemplateID
    team_id: TeamID | None
    namespace: str | None
    aliases: tuple[str, ...]
    public: bool
    cpu_count: int
    memory_mb: int
    disk_size_mb: int
    envd_version: str
    created_at_ns: int
    builds: dict[str, Build] = field(default_factory=dict)
    lasting: dict[str, Build] = field(default_factory=dict)
    limits: Limits = NO_LIMITS
    is_snapshot: bool = False

    @property
    def alias(self) -> str:
        """The first alias, ``""`` without one."""
        return self.aliases[0] if self.aliases else ""

    @property
    def names(self) -> list[str]:
        """Its names with the namespace, none when it has only its ID."""
        prefix = "" if self.namespace is None else f"{self.namespace}/"
        return sorted(f"{prefix}{alias}" for alias in self.aliases)

    def assign(self, tag: str, build: Build) -> Build | None:
        """Let a tag mean a build.

        Returns:
            The build that no tag means any more, nor will after a reset.
        """
        before = self.builds.pop(tag, None)
        self.builds[tag] = build
        return next(iter(self._passing([before])), None)

    def clear(self) -> list[Build]:
        """Forget every build.

        Returns:
            Those that will not be there after a reset.
        """
        builds, self.builds = self.builds, {}
        return self._passing(builds.values())

    def reset(self) -> list[Build]:
        """Have the builds of the start again; returns the others."""
        builds = self.clear()
        self.builds = dict(self.lasting)
        return builds

    def _passing(self, builds: Iterable[Build | None]) -> list[Build]:
        kept = (*self.lasting.values(), *self.builds.values())
        return [each for each in dict.fromkeys(builds) if each is not None and each not in kept]

    def find_build(self, tag: str) -> Build | None:
        """The build that a tag means, or the one of that ID."""
        found = self.builds.get(tag)
        if found is None:
            found = next((each for each in self.builds.values() if each.build_id == tag), None)
        return found


@dataclass(frozen=True, slots=True)
class TemplateReference:
    """`[namespace/]name[:tag]`, taken apart; names are lower case, `:default` is no tag."""

    namespace: str | None
    name: str
    tag: str | None

    @property
    def identifier(self) -> str:
        """The reference without its tag."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class BadReferenceError(FakeE2BError):
    """A text is no template reference; `str()` says which part is wrong."""


def parse_reference(text: str) -> TemplateReference:
    """Take a template reference apart.

    Raises:
        BadReferenceError: Some part has characters that names don't have.

    Fact: control.template.reference
    """
    identifier, colon, tag = text.strip().partition(":")
    clean_tag = _clean(tag, _TAG, "tag") if colon else None
    namespace, slash, name = identifier.partition("/")
    if not slash:
        namespace, name = "", identifier
    clean_namespace = _clean(namespace, _NAME, "namespace") if slash else None
    return TemplateReference(
        clean_namespace,
        _clean(name, _NAME, "template ID"),
        None if clean_tag == DEFAULT_TAG else clean_tag,
    )


def _clean(part: str, pattern: re.Pattern[str], called: str) -> str:
    cleaned = part.strip().lower()
    if not pattern.fullmatch(cleaned):
        raise BadReferenceError(f"invalid {called}: {part}")
    return cleaned
