"""Templates that users define: kept at once, made on first use, once.

Fact: template.files
"""

from __future__ import annotations

import posixpath
from collections.abc import Awaitable, Callable
from dataclasses import replace

from fake_e2b.backend.templates import ENVD_VERSION, Templates
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.ids import IdSource, TeamID
from fake_e2b.domain.limits import Limits
from fake_e2b.domain.ports import Event, LayerID
from fake_e2b.domain.recipe import Definition, Item, Recipe
from fake_e2b.domain.setup import Setup, Start
from fake_e2b.domain.team import Team
from fake_e2b.domain.template import DEFAULT_TAG, Assignment, Build, Template, parse_reference
from fake_e2b.domain.user import BUILT_IN_USERS

MakeLayer = Callable[[Recipe, LayerID | None], Awaitable[LayerID]]
"""Makes what a recipe says on a layer; None stands for fresh files. Raises OSError."""


class TemplateBuilds:
    """Takes definitions, and makes their layers when they are needed.

    Args:
        make_layer: Makes the files.
        make_event: Makes the flags that those await who need the same template.
    """

    def __init__(
        self,
        *,
        templates: Templates,
        ids: IdSource,
        clock: Clock,
        make_layer: MakeLayer,
        make_event: Callable[[], Event],
    ) -> None:
        self._templates = templates
        self._ids = ids
        self._clock = clock
        self._make_layer = make_layer
        self._make_event = make_event
        self._making: dict[str, Event] = {}

    def define(self, team: Team, definition: Definition, *, lasting: bool = False) -> Template:
        """Keep a template of the team under its name; one more build if it has the name.

        Args:
            lasting: Keep it over every reset; else only until the next one.

        Raises:
            UsageError: Its base is no template that the team may use.
        """
        try:
            _, base = self._templates.resolve(team, definition.recipe.base)
        except ControlError as error:
            raise UsageError(
                f"template {definition.name!r}: there is no template "
                f"{definition.recipe.base!r} to start from"
            ) from error
        setup = setup_of(definition, base.setup)
        reference = parse_reference(definition.name)
        build = Build(
            self._ids.uuid(),
            self._clock.now_ns(),
            setup=setup,
            recipe=Recipe(
                definition.recipe.base,
                tuple(settled(each, setup) for each in definition.recipe.items),
            ),
            base=base,
            cpu_count=definition.cpu_count,
            memory_mb=definition.memory_mb,
            disk_size_mb=definition.disk_size_mb,
        )
        template = self._templates.given(team, reference.name)
        if template is None:
            template = Template(
                template_id=self._ids.template_id(),
                team_id=team.team_id,
                namespace=team.slug,
                aliases=(reference.name,),
                public=False,
                envd_version=ENVD_VERSION,
                created_at_ns=self._clock.now_ns(),
                limits=Limits(definition.memory_limit_mb, definition.disk_limit_mb),
            )
            self._templates.add(template)
        template.assign(
            Assignment(self._ids.uuid(), reference.tag or DEFAULT_TAG, build, self._clock.now_ns())
        )
        if lasting:
            self._templates.make_lasting(template)
        self._templates.keep(template)
        return template

    def restore(self, teams: Callable[[TeamID], Team | None]) -> None:
        """Let recorded builds start from what was given again, now that it was."""
        for template in self._templates:
            for build in template.history:
                if build.recipe is not None and build.base is None:
                    team = None if template.team_id is None else teams(template.team_id)
                    try:
                        _, build.base = self._templates.resolve(_known(team), build.recipe.base)
                    except ControlError:
                        build.gone = True

    async def layer(self, build: Build) -> LayerID | None:
        """The files that a build's sandboxes start with; made now if it was never needed.

        Raises:
            ControlError: TEMPLATE_NOT_READY: they cannot be made; the next one tries again.
        """
        while build.build_id in self._making:
            await self._making[build.build_id].wait()
        if build.gone:
            raise ControlError(
                ControlKind.TEMPLATE_NOT_READY,
                reason="the template that this one starts from was deleted",
            )
        if build.layer_id is not None or build.recipe is None:
            return build.layer_id
        done = self._making[build.build_id] = self._make_event()
        try:
            below = None if build.base is None else await self.layer(build.base)
            made = await self._make_layer(build.recipe, below)
        except OSError as error:
            raise ControlError(
                ControlKind.TEMPLATE_NOT_READY,
                reason=f"failed to make the template's files: {error}",
            ) from error
        finally:
            del self._making[build.build_id]
            done.set()
        build.layer_id = made
        return made


def _known(team: Team | None) -> Team:
    if team is None:
        raise ControlError(ControlKind.TEAM_NOT_FOUND)
    return team


def settled(item: Item, setup: Setup) -> Item:
    """An item with an absolute path and an owner."""
    home = (
        BUILT_IN_USERS[setup.user].home if setup.user in BUILT_IN_USERS else f"/home/{setup.user}"
    )
    start = setup.workdir or home
    return replace(item, path=posixpath.join(start, item.path), owner=item.owner or setup.user)


def setup_of(definition: Definition, base: Setup) -> Setup:
    """What a template's sandboxes start with, where it starts from one with `base`."""
    user = definition.user or base.user
    env_vars = {**base.env_vars, **dict(definition.env_vars)}
    workdir = definition.workdir or base.workdir
    start = base.start
    if definition.start_command or definition.ready_command:
        start = Start(
            definition.start_command,
            definition.ready_command,
            definition.ready_timeout_s,
            user,
            workdir,
            env_vars,
        )
    return Setup(
        base.interpreter, user, workdir, env_vars, start, base.services, desktop=base.desktop
    )
