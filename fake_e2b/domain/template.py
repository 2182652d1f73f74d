"""Templates, and the references by which requests name them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from fake_e2b.domain.build import DockerfileRequest, LogLine, Reason
from fake_e2b.domain.clock import SECOND_NS
from fake_e2b.domain.errors import FakeE2BError
from fake_e2b.domain.ids import SandboxID, TeamID, TemplateID
from fake_e2b.domain.limits import NO_LIMITS, Limits
from fake_e2b.domain.ports import LayerID
from fake_e2b.domain.recipe import Recipe
from fake_e2b.domain.setup import PLAIN, Setup

DEFAULT_TAG = "default"
LONGEST_WAIT_NS = 40 * 60 * SECOND_NS
"""After so long a build that nobody starts is given up. Fact: templates.build.waiting"""
_NAME = re.compile(r"[a-z0-9-_]+")
_TAG = re.compile(r"[a-z0-9-_.]+")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class BuildStatus(StrEnum):
    """How far a build is, in the API's words. Fact: templates.build.states"""

    WAITING = "waiting"
    BUILDING = "building"
    READY = "ready"
    ERROR = "error"


@dataclass(slots=True, eq=False)
class Build:
    """One build of a template.

    Attributes:
        layer_id: The files its sandboxes start with; None for the machine's own, and while those
            of a `recipe` were never needed.
        setup: The rest of it.
        source_id: The sandbox that it is a snapshot of; None when it is none.
        recipe: How its files are made.
        base: What the recipe starts from.
        gone: Its template was deleted; what is to be made from it cannot be made any more.
        cpu_count, memory_mb, disk_size_mb: What its sandboxes say that they have.
        finished_at_ns: When it became ready, or failed.
        dockerfile: What it was requested with, in the first generation.
        log: What it told, in order.
        reason: Why it failed.
    """

    build_id: str
    created_at_ns: int
    layer_id: LayerID | None = None
    setup: Setup = PLAIN
    source_id: SandboxID | None = None
    recipe: Recipe | None = None
    base: Build | None = None
    gone: bool = False
    status: BuildStatus = BuildStatus.READY
    cpu_count: int = 2
    memory_mb: int = 1024
    disk_size_mb: int = 1024
    updated_at_ns: int = 0
    finished_at_ns: int | None = None
    dockerfile: DockerfileRequest | None = None
    log: list[LogLine] = field(default_factory=list)
    reason: Reason | None = None

    def __post_init__(self) -> None:
        self.updated_at_ns = self.updated_at_ns or self.created_at_ns
        if self.status is BuildStatus.READY and self.finished_at_ns is None:
            self.finished_at_ns = self.created_at_ns

    def refuse(self, message: str, at_ns: int) -> None:
        """End it before it was started."""
        self.reason = Reason(message)
        self.status = BuildStatus.ERROR
        self.finished_at_ns = self.updated_at_ns = at_ns

    @property
    def is_ready(self) -> bool:
        """Whether sandboxes can start from it."""
        return self.status is BuildStatus.READY and not self.gone


@dataclass(frozen=True, slots=True)
class Assignment:
    """That a tag means a build, from an instant on. Fact: templates.tags.log"""

    assignment_id: str
    tag: str
    build: Build
    at_ns: int


@dataclass(frozen=True, slots=True)
class Lasting:
    """What of a template is there after every reset."""

    assignments: tuple[Assignment, ...]
    history: tuple[Build, ...]
    aliases: tuple[str, ...]
    public: bool
    bare_names: bool
    updated_at_ns: int


@dataclass(slots=True, eq=False)
class Template:
    """What a sandbox starts from.

    Attributes:
        team_id: The owner; None for the platform's own templates.
        namespace: The owner's slug; None for names that everyone sees without one.
        aliases: Names within the namespace, the first one is shown as a sandbox's alias.
        created_at_ns: When it was made.
        updated_at_ns: When it was last changed.
        assignments: Which tag means which build, the oldest first; the newest counts.
        history: Every build, the oldest first.
        lasting: What outlives a reset; None of one that was not known from the start.
        is_snapshot: It was made from a sandbox: listed with the snapshots, not the templates.
        is_default: The platform offers it to everyone.
        bare_names: Everyone finds it by its names without the namespace.
        was_given: Some of its builds were given to the fake as it started.
        limits: What its sandboxes may really use, whatever sizes its builds say.
        spawned: How many sandboxes were made from it.
        last_spawned_at_ns: When the last one was.
    """

    template_id: TemplateID
    team_id: TeamID | None
    namespace: str | None
    aliases: tuple[str, ...]
    public: bool
    envd_version: str
    created_at_ns: int
    updated_at_ns: int = 0
    assignments: list[Assignment] = field(default_factory=list)
    history: list[Build] = field(default_factory=list)
    lasting: Lasting | None = None
    limits: Limits = NO_LIMITS
    is_snapshot: bool = False
    is_default: bool = False
    bare_names: bool = False
    was_given: bool = False
    spawned: int = 0
    last_spawned_at_ns: int | None = None

    def __post_init__(self) -> None:
        self.updated_at_ns = self.updated_at_ns or self.created_at_ns

    @property
    def alias(self) -> str:
        """The first alias, ``""`` without one."""
        return self.aliases[0] if self.aliases else ""

    @property
    def names(self) -> list[str]:
        """Its names with the namespace, none when it has only its ID."""
        prefix = "" if self.namespace is None else f"{self.namespace}/"
        return sorted(f"{prefix}{alias}" for alias in self.aliases)

    def assign(self, assignment: Assignment) -> None:
        """Let a tag mean a build from now on, once the build is ready."""
        self.assignments.append(assignment)
        if assignment.build not in self.history:
            self.history.append(assignment.build)
        self.updated_at_ns = assignment.at_ns

    def unassign(self, tags: Iterable[str], at_ns: int) -> None:
        """Let tags mean nothing any more."""
        gone = set(tags)
        self.assignments = [each for each in self.assignments if each.tag not in gone]
        self.updated_at_ns = at_ns

    @property
    def tags(self) -> dict[str, Assignment]:
        """Each tag with its newest assignment, ready or not; the one assigned last at the end."""
        newest: dict[str, Assignment] = {}
        for each in self.assignments:
            newest.pop(each.tag, None)
            newest[each.tag] = each
        return newest

    @property
    def builds(self) -> dict[str, Build]:
        """Each tag with the ready build that it means, the one assigned last at the end."""
        newest: dict[str, Build] = {}
        for each in self.assignments:
            if each.build.is_ready:
                newest.pop(each.tag, None)
                newest[each.tag] = each.build
        return newest

    def give_up_waiting(self, now_ns: int) -> None:
        """Let builds that were not started in time end."""
        for each in self.history:
            until_ns = each.created_at_ns + LONGEST_WAIT_NS
            if each.status is BuildStatus.WAITING and now_ns >= until_ns:
                each.refuse("build is in waiting state for too long", until_ns)

    def clear(self) -> list[Build]:
        """Forget every build.

        Returns:
            Those that will not be there after a reset.
        """
        lasting = self.lasting_builds
        gone = [each for each in self.history if each not in lasting]
        self.assignments, self.history = [], []
        return gone

    def make_lasting(self) -> None:
        """Let what it has now be there after every reset."""
        self.was_given = True
        self.lasting = Lasting(
            tuple(self.assignments),
            tuple(self.history),
            self.aliases,
            self.public,
            self.bare_names,
            self.updated_at_ns,
        )

    @property
    def lasting_builds(self) -> tuple[Build, ...]:
        """The builds that are there after every reset."""
        return () if self.lasting is None else self.lasting.history

    def reset(self) -> list[Build]:
        """Have the builds, the names and the visibility of the start; returns the other builds.

        One that was not known from the start keeps its names: they have to be freed yet.
        """
        gone = self.clear()
        if self.lasting is not None:
            self.assignments = list(self.lasting.assignments)
            self.history = list(self.lasting.history)
            self.aliases, self.public = self.lasting.aliases, self.lasting.public
            self.bare_names = self.lasting.bare_names
            self.updated_at_ns = self.lasting.updated_at_ns
        self.spawned, self.last_spawned_at_ns = 0, None
        return gone

    def find_build(self, tag: str) -> Build | None:
        """The ready build that a tag means, or the one of that ID."""
        found = self.builds.get(tag)
        if found is None:
            found = next(
                (each for each in self.history if each.build_id == tag and each.is_ready), None
            )
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


def clean_tag(tag: str) -> str:
    """A tag as it is kept: trimmed, in lower case.

    Raises:
        BadReferenceError: It has characters that tags don't have, or looks like a build's ID.
    """
    cleaned = _clean(tag, _TAG, "tag")
    if _UUID.fullmatch(cleaned):
        raise BadReferenceError(f"invalid tag '{tag}': tag cannot be a UUID")
    return cleaned


def clean_tags(tags: Iterable[str]) -> list[str]:
    """Each tag once. Fact: templates.tags.clean

    Raises:
        BadReferenceError: As `clean_tag`.
    """
    return list(dict.fromkeys(map(clean_tag, tags)))
