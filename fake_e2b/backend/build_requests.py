"""Template builds as the API asks for them: reserve, upload, start, look, cancel.

What a build does is done by a `Builder`; here stands when it may begin and what it leaves.

Facts: templates.build.request, templates.build.files, templates.build.start, templates.build.status
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fake_e2b.backend.template_catalog import TemplateCatalog
from fake_e2b.backend.templates import ENVD_VERSION, Templates
from fake_e2b.domain.build import BuildFailedError, Level, LogLine, Order, Reason
from fake_e2b.domain.clock import SECOND_NS, Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.errors import GapError
from fake_e2b.domain.ids import IdSource, TemplateID
from fake_e2b.domain.ports import LayerID
from fake_e2b.domain.setup import Setup
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
    parse_reference,
)

_HASH = re.compile(r"[0-9a-f]{64}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DAY_NS = 24 * 3600 * SECOND_NS
_UPLOAD_S = 30 * 60
"""How long an upload URL works. Fact: templates.build.files"""
_STOPPED = "the server was stopped during the build"
MOST_CPUS, MOST_MEMORY_MB = 32, 65_536
"""What a build may ask for; the service's are a team's own."""

INTERNAL = "An internal error occurred. Please try again or contact support with the build ID."
"""What is told of a build that fails for a reason of the service's own.

Fact: templates.build.internal
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request for a build."""

    name: str
    tags: Sequence[str] = ()
    cpu_count: int = 2
    memory_mb: int = 1024


@dataclass(frozen=True, slots=True)
class Requested:
    """A reserved build, which waits for its start."""

    template: Template
    build: Build
    tags: Sequence[str]


@dataclass(frozen=True, slots=True)
class Built:
    """What a build has made."""

    layer_id: LayerID | None
    setup: Setup


class Running(Protocol):
    """A build at work."""

    def cancel(self) -> object: ...


class Builder(Protocol):
    """Does what a build is asked to."""

    async def build(
        self, team: Team, template: Template, order: Order, say: Callable[[LogLine], None]
    ) -> Built:
        """Do all of it.

        Raises:
            BuildFailedError: It says at which step, and why.
        """
        ...


class Archives(Protocol):
    """The uploaded files of COPY steps, by team and hash."""

    def has(self, team_id: str, files_hash: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Building:
    """What builds need of the server.

    Attributes:
        begin: Runs a build aside; cancelling it ends it.
        upload_url: Where the archive of a team and hash is to be sent, until an instant.
        end: Ends what is under way.
        forget: Does so, and forgets archives and layers.
    """

    builder: Builder
    archives: Archives
    begin: Callable[[Coroutine[Any, Any, None]], Running]
    upload_url: Callable[[str, str, int], str]
    end: Callable[[], Awaitable[None]]
    forget: Callable[[], Awaitable[None]]


class BuildRequests:
    """Takes requests, and keeps what became of them.

    Args:
        building: None where nothing can be built.
        release: Lets a layer go.
    """

    def __init__(
        self,
        *,
        templates: Templates,
        catalog: TemplateCatalog,
        ids: IdSource,
        clock: Clock,
        building: Building | None,
        release: Callable[[LayerID], Awaitable[None]],
        most_builds: int,
    ) -> None:
        self._templates = templates
        self._catalog = catalog
        self._ids = ids
        self._clock = clock
        self._given = building
        self._release = release
        self._most_builds = most_builds
        self._running: dict[str, tuple[Template, Build, Running]] = {}

    def request(self, team: Team, wanted: Wanted) -> Requested:
        """Reserve a build, and a template for it if there is none of that name.

        Raises:
            ControlError: NAME_REQUIRED, BAD_SNAPSHOT_NAME (a name that is none), BAD_TAG,
                FOREIGN_NAMESPACE, BAD_BUILD_SIZE, ALIAS_IS_AN_ID, BUILD_LIMIT.
        """
        reference = self.reference(team, wanted.name)
        tags = _tags(reference, wanted.tags)
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
        for tag in tags:
            template.assign(Assignment(self._ids.uuid(), tag, build, now_ns))
        self._templates.keep(template)
        return Requested(template, build, tags)

    def upload(self, team: Team, template_id: str, files_hash: str) -> tuple[bool, str]:
        """Whether an archive is there, and where to send it in any case.

        Raises:
            ControlError: TEMPLATE_OF_BUILD_NOT_FOUND, BAD_FILES_HASH.
        """
        self._own(team, template_id)
        if not _HASH.fullmatch(files_hash):
            raise ControlError(ControlKind.BAD_FILES_HASH)
        until_s = self._clock.now_ns() // SECOND_NS + _UPLOAD_S
        url = self._building.upload_url(team.team_id, files_hash, until_s)
        return self._building.archives.has(team.team_id, files_hash), url

    def start(self, team: Team, template_id: str, build_id: str, order: Order) -> None:
        """Let a reserved build begin.

        Raises:
            ControlError: As `waiting`; BUILD_SOURCES.
        """
        build = self.waiting(team, template_id, build_id)
        if order.from_image and order.from_template:
            raise ControlError(ControlKind.BUILD_SOURCES, reason="cannot specify both", joint="and")
        if not order.from_image and not order.from_template:
            raise ControlError(ControlKind.BUILD_SOURCES, reason="must specify either", joint="or")
        self.begin(team, template_id, build, lambda: order)

    def waiting(self, team: Team, template_id: str, build_id: str) -> Build:
        """A build that was reserved and not started yet.

        Raises:
            ControlError: BAD_BUILD_ID, BUILD_FORBIDDEN, TEMPLATE_OF_BUILD_NOT_FOUND,
                BUILD_NOT_WAITING.
        """
        if not _UUID.fullmatch(build_id):
            raise ControlError(ControlKind.BAD_BUILD_ID, build_id=build_id)
        template = self._templates.get(TemplateID(template_id))
        if template is not None and template.team_id != team.team_id:
            raise ControlError(ControlKind.BUILD_FORBIDDEN)
        build = _find(self._own(team, template_id), build_id)
        if build is None or build.status is not BuildStatus.WAITING:
            raise ControlError(ControlKind.BUILD_NOT_WAITING)
        return build

    def begin(
        self, team: Team, template_id: str, build: Build, make_order: Callable[[], Order]
    ) -> None:
        """Run a waiting build; others of the template under one of its tags end.

        Args:
            make_order: Says what is to be done, or raises a `BuildFailedError`.
        """
        template = self._own(team, template_id)
        tags = {each.tag for each in template.assignments if each.build is build}
        for other_template, other, running in list(self._running.values()):
            others = {e.tag for e in other_template.assignments if e.build is other}
            if other_template is template and others & tags:
                self._end(template, other, Reason("build was cancelled"))
                running.cancel()
        build.status = BuildStatus.BUILDING
        build.updated_at_ns = self._clock.now_ns()
        self._templates.keep(template)
        running = self._building.begin(self._run(team, template, build, make_order))
        self._running[build.build_id] = template, build, running

    def find(self, team: Team, template_id: str, build_id: str) -> tuple[Template, Build]:
        """A build, to look at.

        Raises:
            ControlError: BAD_BUILD_ID_ASKED, BUILD_NOT_FOUND, TEMPLATE_ID_FORBIDDEN.
        """
        if not _UUID.fullmatch(build_id):
            raise ControlError(ControlKind.BAD_BUILD_ID_ASKED)
        template = self._templates.get(TemplateID(template_id))
        build = None if template is None else _find(template, build_id)
        if template is None or build is None:
            raise ControlError(ControlKind.BUILD_NOT_FOUND, build_id=build_id)
        if template.team_id != team.team_id:
            raise ControlError(ControlKind.TEMPLATE_ID_FORBIDDEN, template_id=template_id)
        template.give_up_waiting(self._clock.now_ns())
        return template, build

    def cancel_all(self, team: Team | None = None) -> int:
        """End the builds of a team, or all; returns how many."""
        return self._cancel(lambda template: team is None or template.team_id == team.team_id)

    def cancel_of(self, template: Template) -> int:
        """End the builds of a template, which is deleted; returns how many."""
        return self._cancel(lambda each: each is template)

    def _cancel(self, meant: Callable[[Template], bool], why: str = "build was cancelled") -> int:
        chosen = [each for each in self._running.values() if meant(each[0])]
        for template, build, running in chosen:
            self._end(template, build, Reason(why))
            running.cancel()
        return len(chosen)

    def restore(self, templates: Iterable[Template]) -> None:
        """Builds that were under way when a server ended have failed."""
        for template in templates:
            for build in template.history:
                if build.status is BuildStatus.BUILDING:
                    self._end(template, build, Reason(_STOPPED))

    async def close(self) -> None:
        """End the builds under way; nothing is forgotten."""
        self._cancel(lambda _: True, _STOPPED)
        if self._given is not None:
            await self._given.end()

    async def reset(self) -> None:
        """End the builds under way, and forget archives and cached layers."""
        self.cancel_all()
        if self._given is not None:
            await self._given.forget()

    @property
    def _building(self) -> Building:
        if self._given is None:
            raise GapError("createTemplate", "nothing builds templates here")
        return self._given

    async def _run(
        self, team: Team, template: Template, build: Build, make_order: Callable[[], Order]
    ) -> None:
        began_ns = self._clock.now_ns()

        def say(line: LogLine) -> None:
            build.log.append(line)

        self._say(build, f"Building template {template.template_id}/{build.build_id}")
        try:
            built = await self._building.builder.build(team, template, make_order(), say)
        except BuildFailedError as error:
            self._end(template, build, error.reason)
            return
        except Exception:
            self._end(template, build, Reason(INTERNAL))
            raise  # the server tells it
        finally:
            self._running.pop(build.build_id, None)
        if build.status is not BuildStatus.BUILDING or build.gone:
            if built.layer_id is not None:
                await self._release(built.layer_id)
            return
        build.layer_id, build.setup = built.layer_id, built.setup
        seconds = (self._clock.now_ns() - began_ns) / SECOND_NS
        self._say(build, f"Build finished, took {seconds:.0f}s")
        template.updated_at_ns = self._clock.now_ns()
        self._end(template, build, None)

    def _end(self, template: Template, build: Build, reason: Reason | None) -> None:
        if build.status in (BuildStatus.READY, BuildStatus.ERROR):
            return
        if reason is not None:
            self._say(build, f"Build failed: {reason.message}", Level.ERROR)
        build.reason = reason
        build.status = BuildStatus.READY if reason is None else BuildStatus.ERROR
        build.finished_at_ns = build.updated_at_ns = self._clock.now_ns()
        if self._templates.get(template.template_id) is template:
            self._templates.keep(template)

    def _say(self, build: Build, message: str, level: Level = Level.INFO) -> None:
        build.log.append(LogLine(self._clock.now_ns(), message, level))

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

    def reference(self, team: Team, name: str) -> TemplateReference:
        """A name that the team may give.

        Raises:
            ControlError: NAME_REQUIRED, BAD_SNAPSHOT_NAME, FOREIGN_NAMESPACE.
        """
        if not name.strip():
            raise ControlError(ControlKind.NAME_REQUIRED)
        try:
            reference = parse_reference(name)
            if reference.tag is not None:
                clean_tag(reference.tag)
        except BadReferenceError as error:
            raise ControlError(ControlKind.BAD_SNAPSHOT_NAME, reason=error.args[0]) from error
        if reference.namespace not in (None, team.slug):
            raise ControlError(
                ControlKind.FOREIGN_NAMESPACE, namespace=reference.namespace, slug=team.slug
            )
        return reference

    def _own(self, team: Team, template_id: str) -> Template:
        try:
            return self._catalog.by_id(team, template_id)
        except ControlError as error:
            raise ControlError(
                ControlKind.TEMPLATE_OF_BUILD_NOT_FOUND, template_id=template_id
            ) from error


def _tags(reference: TemplateReference, tags: Sequence[str]) -> list[str]:
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


def _find(template: Template, build_id: str) -> Build | None:
    wanted = build_id.lower()
    return next((each for each in template.history if each.build_id == wanted), None)
