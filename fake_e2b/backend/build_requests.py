"""Template builds as the API asks for them, once reserved: upload, start, look, cancel.

What a build does is done by a `Builder`; here stands when it may begin and what it leaves.

Facts: templates.build.files, templates.build.start, templates.build.status
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from fake_e2b.backend.template_catalog import TemplateCatalog
from fake_e2b.backend.templates import Templates
from fake_e2b.domain.build import BuildFailedError, Level, LogLine, Order, Reason
from fake_e2b.domain.clock import SECOND_NS, Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.errors import GapError
from fake_e2b.domain.ids import TemplateID
from fake_e2b.domain.ports import LayerID
from fake_e2b.domain.setup import Setup
from fake_e2b.domain.team import Team
from fake_e2b.domain.template import (
    Build,
    BuildStatus,
    Template,
)

_HASH = re.compile(r"[0-9a-f]{64}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_UPLOAD_S = 30 * 60
"""How long an upload URL works. Fact: templates.build.files"""
_STOPPED = "the server was stopped during the build"
INTERNAL = "An internal error occurred. Please try again or contact support with the build ID."
"""What is told of a build that fails for a reason of the service's own.

Fact: templates.build.internal
"""


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
        clock: Clock,
        building: Building | None,
        release: Callable[[LayerID], Awaitable[None]],
    ) -> None:
        self._templates = templates
        self._catalog = catalog
        self._clock = clock
        self._given = building
        self._release = release
        self._running: dict[str, tuple[Template, Build, Running]] = {}

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

    def _own(self, team: Team, template_id: str) -> Template:
        try:
            return self._catalog.by_id(team, template_id)
        except ControlError as error:
            raise ControlError(
                ControlKind.TEMPLATE_OF_BUILD_NOT_FOUND, template_id=template_id
            ) from error


def _find(template: Template, build_id: str) -> Build | None:
    wanted = build_id.lower()
    return next((each for each in template.history if each.build_id == wanted), None)
