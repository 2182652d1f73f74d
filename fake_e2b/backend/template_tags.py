"""Tags of templates: a log of which tag meant which build since when; the newest entry counts.

Facts: templates.tags.assign, templates.tags.delete, templates.tags.list, templates.tags.groups
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fake_e2b.backend.templates import Templates
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.team import Team
from fake_e2b.domain.template import (
    DEFAULT_TAG,
    Assignment,
    BadReferenceError,
    Build,
    Template,
    clean_tag,
    clean_tags,
    parse_reference,
)

SORTS = ("latest_desc", "latest_asc", "name_asc", "name_desc")
_SEARCH = re.compile(r"[a-z0-9._-]{0,64}")


@dataclass(frozen=True, slots=True)
class Group:
    """A tag and its newest assignments, the newest first."""

    tag: str
    assignments: Sequence[Assignment]
    has_more: bool


@dataclass(frozen=True, slots=True)
class GroupPage:
    """One page of tags; `last` is what the next one comes after, None on the last page."""

    groups: Sequence[Group]
    last: Group | None


@dataclass(frozen=True, slots=True)
class AssignmentPage:
    """One page of a tag's history; `last` as in `GroupPage`."""

    assignments: Sequence[Assignment]
    last: Assignment | None


class TemplateTags:
    """Assigns, removes and lists tags."""

    def __init__(self, templates: Templates, ids: IdSource, clock: Clock) -> None:
        self._templates = templates
        self._ids = ids
        self._clock = clock

    def assign(self, team: Team, target: str, tags: Sequence[str]) -> tuple[Build, list[str]]:
        """Let tags mean the build that `target` (``name[:tag or build ID]``) means.

        Raises:
            ControlError: NO_TAGS, BAD_TARGET, BAD_TAG, TEMPLATE_NOT_FOUND, TAGS_FORBIDDEN,
                TARGET_NOT_FOUND.
        """
        if not tags:
            raise ControlError(ControlKind.NO_TAGS)
        try:
            reference = parse_reference(target)
        except BadReferenceError as error:
            raise ControlError(ControlKind.BAD_TARGET, reason=error.args[0]) from error
        cleaned = _clean(tags)
        template, name = self._templates.find(team, reference)
        template = self._own(team, template, name)
        tag = reference.tag or DEFAULT_TAG
        build = template.find_build(tag)
        if build is None:
            raise ControlError(ControlKind.TARGET_NOT_FOUND, name=reference.identifier, tag=tag)
        with self._templates.changing(template):
            for each in cleaned:
                template.assign(Assignment(self._ids.uuid(), each, build, self._clock.now_ns()))
        return build, cleaned

    def remove(self, team: Team, name: str, tags: Sequence[str]) -> None:
        """Let tags mean nothing any more; unknown ones are fine.

        Raises:
            ControlError: NO_TAGS, BAD_TEMPLATE_NAME, TAG_IN_NAME, BAD_TAG, DEFAULT_TAG_STAYS,
                TEMPLATE_NOT_FOUND, TAGS_FORBIDDEN.
        """
        if not tags:
            raise ControlError(ControlKind.NO_TAGS)
        try:
            reference = parse_reference(name)
        except BadReferenceError as error:
            raise ControlError(ControlKind.BAD_TEMPLATE_NAME, reason=error.args[0]) from error
        if reference.tag is not None:
            raise ControlError(ControlKind.TAG_IN_NAME)
        cleaned = _clean(tags)
        if DEFAULT_TAG in cleaned:
            raise ControlError(ControlKind.DEFAULT_TAG_STAYS)
        template, found = self._templates.find(team, reference)
        template = self._own(team, template, found)
        with self._templates.changing(template):
            template.unassign(cleaned, self._clock.now_ns())

    def list(self, team: Team, text: str) -> list[Assignment]:
        """The newest assignment of each tag, ready or not, in the order of the tags.

        Raises:
            ControlError: BAD_TEMPLATE_REFERENCE, TEMPLATE_NOT_FOUND, TAGS_FORBIDDEN.
        """
        return [each for _, each in sorted(self._find(team, text).tags.items())]

    def count(self, team: Team, text: str) -> int:
        """How many tags mean a ready build.

        Raises:
            ControlError: As `list`.
        """
        return len(self._find(team, text).builds)

    def exists(self, team: Team, text: str, tag: str) -> tuple[bool, str]:
        """Whether a tag means a ready build, and how the tag is written.

        Raises:
            ControlError: As `list`; BAD_TAG_ASKED.
        """
        template = self._find(team, text)
        try:
            cleaned = clean_tag(tag)
        except BadReferenceError as error:
            raise ControlError(ControlKind.BAD_TAG_ASKED) from error
        return cleaned in template.builds, cleaned

    def groups(
        self,
        team: Team,
        text: str,
        *,
        assignments: int,
        tags: int,
        search: str,
        sort: str,
        after: tuple[int, str] | None,
    ) -> GroupPage:
        """One page of the tags that mean a ready build, each with its newest assignments.

        Args:
            search: What the tag contains.
            sort: One of `SORTS`.
            after: Newest instant and tag of the last one of the page before.

        Raises:
            ControlError: As `list`; BAD_SORT, BAD_SEARCH.
        """
        template = self._find(team, text)
        if sort not in SORTS:
            raise ControlError(ControlKind.BAD_SORT)
        if not _SEARCH.fullmatch(search):
            raise ControlError(ControlKind.BAD_SEARCH)
        found = [
            (newest, tag, history)
            for tag, history in _ready_histories(template).items()
            if search in tag
            for newest in (history[0].at_ns,)
        ]
        found.sort(key=lambda each: each[1], reverse=sort == "name_desc")
        if sort.startswith("latest"):
            found.sort(key=lambda each: each[0], reverse=sort == "latest_desc")
        if after is not None:
            places = [each[:2] for each in found]
            found = found[places.index(after) + 1 :] if after in places else []
        groups = [
            Group(tag, history[:assignments], len(history) > assignments)
            for _, tag, history in found[:tags]
        ]
        return GroupPage(groups, groups[-1] if len(found) > tags else None)

    def history(
        self, team: Team, text: str, tag: str, *, limit: int, after: tuple[int, str] | None
    ) -> AssignmentPage:
        """One page of what a tag meant, the newest first.

        Raises:
            ControlError: As `list`; BAD_TAG_ASKED.
        """
        template = self._find(team, text)
        try:
            cleaned = clean_tag(tag)
        except BadReferenceError as error:
            raise ControlError(ControlKind.BAD_TAG_ASKED) from error
        found = _ready_histories(template).get(cleaned, [])
        if after is not None:
            places = [(each.at_ns, each.assignment_id) for each in found]
            found = found[places.index(after) + 1 :] if after in places else []
        return AssignmentPage(found[:limit], found[limit - 1] if len(found) > limit else None)

    def _find(self, team: Team, text: str) -> Template:
        try:
            reference = parse_reference(text)
        except BadReferenceError as error:
            raise ControlError(ControlKind.BAD_TEMPLATE_REFERENCE, reason=error.args[0]) from error
        template, name = self._templates.find(team, reference)
        return self._own(team, template, name)

    def _own(self, team: Team, template: Template | None, name: str) -> Template:
        if template is None or not self._templates.may_use(team, template):
            raise ControlError(ControlKind.TEMPLATE_NOT_FOUND, name=name)
        if template.team_id != team.team_id:
            raise ControlError(ControlKind.TAGS_FORBIDDEN, name=name)
        return template


def _clean(tags: Sequence[str]) -> list[str]:
    try:
        return clean_tags(tags)
    except BadReferenceError as error:
        raise ControlError(ControlKind.BAD_TAG, reason=error.args[0]) from error


def _ready_histories(template: Template) -> dict[str, list[Assignment]]:
    """Each tag with its assignments to ready builds, the newest first."""
    found: dict[str, list[Assignment]] = {}
    for each in reversed(template.assignments):
        if each.build.is_ready:
            found.setdefault(each.tag, []).append(each)
    return found
