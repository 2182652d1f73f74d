"""Reserving template builds: who may have one, of which template, and how many at once.

Fact: templates.build.request
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fake_e2b.backend.template_catalog import check_team
from fake_e2b.backend.templates import ENVD_VERSION, Templates, own_reference
from fake_e2b.domain.clock import SECOND_NS, Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.team import Team
from fake_e2b.domain.template import (
    DEFAULT_TAG,
    Assignment,
    BadReferenceError,
    Build,
    BuildStatus,
    Template,
    TemplateReference,
    clean_tag,
    clean_tags,
)

_DAY_NS = 24 * 3600 * SECOND_NS
MOST_CPUS, MOST_MEMORY_MB = 32, 65_536
"""What a build may ask for; the service's are a team's own."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request for a build; `team_id` is None where it names no team."""

    name: str
    tags: Sequence[str] = ()
    cpu_count: int = 2
    memory_mb: int = 1024
    team_id: str | None = None


@dataclass(frozen=True, slots=True)
class Requested:
    """A reserved build, which waits for its start."""

    template: Template
    build: Build
    tags: Sequence[str]


class BuildReservations:
    """Takes requests for builds; `BuildRequests` takes over what is reserved.

    Args:
        most_builds: How many a team may have open at once.
    """

    def __init__(
        self, *, templates: Templates, ids: IdSource, clock: Clock, most_builds: int
    ) -> None:
        self._templates = templates
        self._ids = ids
        self._clock = clock
        self._most_builds = most_builds

    def request(self, team: Team, wanted: Wanted) -> Requested:
        """Reserve a build, and a template for it if there is none of that name.

        Raises:
            ControlError: TEAM_MISMATCH, NAME_REQUIRED, BAD_SNAPSHOT_NAME (a name that is none),
                BAD_TAG, FOREIGN_NAMESPACE, BAD_BUILD_SIZE, ALIAS_IS_AN_ID, BUILD_LIMIT.

        Fact: templates.build.team
        """
        check_team(team, wanted.team_id)
        reference = self.reference(team, wanted.name)
        tags = tags_of(reference, wanted.tags)
        template = self._templates.owned(team, reference.name)
        if template is None and self._templates.is_id(reference.name):
            _check_size(wanted.cpu_count, wanted.memory_mb)
            raise ControlError(ControlKind.ALIAS_IS_AN_ID, alias=reference.name)
        return self.reserve(team, template, reference.name, tags, wanted)

    def reserve(
        self,
        team: Team,
        template: Template | None,
        alias: str | None,
        tags: Sequence[str],
        wanted: Wanted,
    ) -> Requested:
        """Reserve a build of a template, or of a new one with that alias, or with none.

        Raises:
            ControlError: BAD_BUILD_SIZE, BUILD_LIMIT.
        """
        _check_size(wanted.cpu_count, wanted.memory_mb)
        self._check_quota(team, template, tags)
        now_ns = self._clock.now_ns()
        is_new = template is None
        if template is None:
            template = Template(
                template_id=self._ids.template_id(),
                team_id=team.team_id,
                namespace=team.slug,
                aliases=() if alias is None else (alias,),
                public=False,
                envd_version=ENVD_VERSION,
                created_at_ns=now_ns,
            )
            self._templates.add(template)
        self._supersede(template, tags)
        build = Build(
            self._ids.uuid(),
            now_ns,
            status=BuildStatus.WAITING,
            cpu_count=wanted.cpu_count,
            memory_mb=wanted.memory_mb,
        )
        try:
            with self._templates.changing(template):
                for tag in tags:
                    template.assign(Assignment(self._ids.uuid(), tag, build, now_ns))
        except OSError:
            if is_new:
                self._templates.take_out(template)
            raise
        return Requested(template, build, tags)

    def reference(self, team: Team, name: str) -> TemplateReference:
        """A name that the team may give.

        Raises:
            ControlError: NAME_REQUIRED, BAD_SNAPSHOT_NAME, FOREIGN_NAMESPACE.
        """
        if not name.strip():
            raise ControlError(ControlKind.NAME_REQUIRED)
        reference = own_reference(team, name)
        if reference.tag is not None:
            try:
                clean_tag(reference.tag)
            except BadReferenceError as error:
                raise ControlError(ControlKind.BAD_SNAPSHOT_NAME, reason=error.args[0]) from error
        return reference

    def _supersede(self, template: Template, tags: Iterable[str]) -> None:
        """Builds of the template that wait under one of the tags never will be started."""
        for each in template.tags.values():
            if each.build.status is BuildStatus.WAITING and each.tag in tags:
                text = "The build was canceled because it was superseded by a newer one."
                each.build.refuse(text, self._clock.now_ns())

    def _check_quota(self, team: Team, template: Template | None, tags: Iterable[str]) -> None:
        since_ns = self._clock.now_ns() - _DAY_NS
        for owned in self._templates.owned_by(team):
            owned.give_up_waiting(self._clock.now_ns())
        active = {
            each.build.build_id
            for owned in self._templates.owned_by(team)
            for each in owned.tags.values()
            if each.build.status in (BuildStatus.WAITING, BuildStatus.BUILDING)
            and each.build.created_at_ns > since_ns
            and not (owned is template and each.tag in tags)
        }
        if len(active) >= self._most_builds:
            raise ControlError(ControlKind.BUILD_LIMIT, limit=self._most_builds)


def tags_of(reference: TemplateReference, tags: Sequence[str]) -> list[str]:
    """The tags of a build: its name's own and others that were asked for; without any, default.

    Raises:
        ControlError: BAD_TAG.
    """
    try:
        named = [] if reference.tag is None else [reference.tag]
        return clean_tags([*named, *tags]) or [DEFAULT_TAG]
    except BadReferenceError as error:
        raise ControlError(ControlKind.BAD_TAG, reason=error.args[0]) from error


def _check_size(cpu_count: int, memory_mb: int) -> None:
    if cpu_count > MOST_CPUS:
        reason = f"CPU count must be at most {MOST_CPUS}"
    elif cpu_count != 1 and cpu_count % 2:
        reason = "CPU count must be 1 or an even number"
    elif memory_mb % 2:
        reason = "Memory must be divisible by 2"
    elif memory_mb > MOST_MEMORY_MB:
        reason = (
            f"Memory can't be higher than {MOST_MEMORY_MB} MiB (if you need to increase this "
            "limit, please contact support)"
        )
    else:
        return
    raise ControlError(ControlKind.BAD_BUILD_SIZE, reason=reason)
