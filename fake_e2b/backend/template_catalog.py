"""What teams see of their templates, and the little they can change of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from fake_e2b.backend.templates import Templates
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.ids import TemplateID
from fake_e2b.domain.team import Team
from fake_e2b.domain.template import (
    DEFAULT_TAG,
    BadReferenceError,
    Build,
    Template,
    parse_reference,
)

Position = tuple[int, str]
"""Instant and ID of the last item of the page before."""


@dataclass(frozen=True, slots=True)
class TemplatePage:
    """One page; `last` is what the next one comes after, None on the last page."""

    templates: Sequence[Template]
    last: Template | None


@dataclass(frozen=True, slots=True)
class BuildPage:
    """A template and one page of its builds, the newest first."""

    template: Template
    builds: Sequence[Build]
    last: Build | None


class TemplateCatalog:
    """Lists templates, shows one, and says who may use it.

    Facts: templates.list, templates.get, templates.update, templates.alias
    """

    def __init__(self, templates: Templates, clock: Clock) -> None:
        self._templates = templates
        self._clock = clock

    def all(self, team: Team, team_id: str | None) -> list[Template]:
        """The team's templates, the oldest first; snapshots are not among them.

        Raises:
            ControlError: TEAM_MISMATCH.
        """
        check_team(team, team_id)
        return self._up_to_date(self._templates.owned_by(team))

    def page(
        self, team: Team, team_id: str | None, *, limit: int, after: Position | None
    ) -> TemplatePage:
        """The next templates, the newest first.

        Raises:
            ControlError: TEAM_MISMATCH.
        """
        check_team(team, team_id)
        found = list(islice(self._templates.newest(team, after), limit + 1))
        more = len(found) > limit
        return TemplatePage(self._up_to_date(found[:limit]), found[limit - 1] if more else None)

    def defaults(self) -> list[Template]:
        """The platform's, in the order of their IDs."""
        return sorted(self._templates.defaults(), key=lambda each: each.template_id)

    def get(self, team: Team, template_id: str, *, limit: int, after: Position | None) -> BuildPage:
        """One of the team's templates by its very ID, and its next builds.

        Raises:
            ControlError: TEMPLATE_ID_NOT_FOUND, TEMPLATE_ID_FORBIDDEN.
        """
        template = self.by_id(team, template_id)
        newest = sorted(
            template.history, key=lambda each: (each.created_at_ns, each.build_id), reverse=True
        )
        rest = [
            each for each in newest if after is None or (each.created_at_ns, each.build_id) < after
        ]
        more = len(rest) > limit
        return BuildPage(template, rest[:limit], rest[limit - 1] if more else None)

    def by_id(self, team: Team, template_id: str) -> Template:
        """One of the team's templates by its very ID.

        Raises:
            ControlError: TEMPLATE_ID_NOT_FOUND, TEMPLATE_ID_FORBIDDEN.
        """
        template = self._templates.get(TemplateID(template_id))
        if template is None:
            raise ControlError(ControlKind.TEMPLATE_ID_NOT_FOUND, template_id=template_id)
        if template.team_id != team.team_id:
            raise ControlError(ControlKind.TEMPLATE_ID_FORBIDDEN, template_id=template_id)
        self._up_to_date([template])
        return template

    def _up_to_date(self, templates: list[Template]) -> list[Template]:
        for each in templates:
            each.give_up_waiting(self._clock.now_ns())
        return templates

    def update(
        self, team: Team, text: str, *, public: bool | None, claims_bare_name: bool = False
    ) -> Template:
        """Show one of the team's templates to everyone, or to nobody else.

        Args:
            claims_bare_name: A template that becomes public gets its name without the namespace
                as well, as the first generation of the API has it.

        Raises:
            ControlError: BAD_TEMPLATE_ID, TEMPLATE_UNKNOWN, TEMPLATE_FORBIDDEN,
                PUBLIC_NAME_TAKEN.
        """
        try:
            reference = parse_reference(text)
        except BadReferenceError as error:
            raise ControlError(ControlKind.BAD_TEMPLATE_ID, reason=error.args[0]) from error
        template, name = self._templates.find(team, reference)
        usable = template is not None and self._templates.may_use(team, template)
        if template is None or not usable or template.is_snapshot:
            raise ControlError(ControlKind.TEMPLATE_UNKNOWN, name=name)
        if template.team_id != team.team_id:
            raise ControlError(ControlKind.TEMPLATE_FORBIDDEN, name=name)
        if public is None:
            return template
        with self._templates.changing(template):
            if public and claims_bare_name:
                self._templates.claim_bare_names(template)
            template.public = public
            template.updated_at_ns = self._clock.now_ns()
        return template

    def check_alias(self, team: Team, text: str) -> Template:
        """The template of that name.

        Raises:
            ControlError: BAD_ALIAS, FOREIGN_NAMESPACE, TEMPLATE_NOT_FOUND, ALIAS_FORBIDDEN;
                TAG_NOT_FOUND when a tag stands in the text, even the default one.
        """
        try:
            reference = parse_reference(text)
        except BadReferenceError as error:
            raise ControlError(ControlKind.BAD_ALIAS, reason=error.args[0]) from error
        if reference.namespace not in (None, team.slug):
            raise ControlError(
                ControlKind.FOREIGN_NAMESPACE, namespace=reference.namespace, slug=team.slug
            )
        template, name = self._templates.find(team, reference)
        if template is None:
            raise ControlError(ControlKind.TEMPLATE_NOT_FOUND, name=name)
        if template.team_id != team.team_id:
            raise ControlError(ControlKind.ALIAS_FORBIDDEN)
        tag = reference.tag or DEFAULT_TAG
        if ":" in text and template.find_build(tag) is None:
            raise ControlError(ControlKind.TAG_NOT_FOUND, name=name, tag=tag)
        return template


def check_team(team: Team, team_id: str | None) -> None:
    """Refuse what names another team than the one that asks.

    Raises:
        ControlError: TEAM_MISMATCH.
    """
    if team_id is not None and team_id.lower() != team.team_id:
        raise ControlError(ControlKind.TEAM_MISMATCH)
