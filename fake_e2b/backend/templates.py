"""Templates by name, and which of them a team may use.

A bare name in a request is lower-cased and looked for as `Templates.find` says.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager, suppress

from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.ids import IdSource, TeamID, TemplateID
from fake_e2b.domain.ports import LayerID
from fake_e2b.domain.records import Records
from fake_e2b.domain.setup import Setup
from fake_e2b.domain.team import Team
from fake_e2b.domain.template import (
    DEFAULT_TAG,
    Assignment,
    BadReferenceError,
    Build,
    Template,
    TemplateReference,
    parse_reference,
)

ENVD_VERSION = "0.6.13"
"""The version of envd that the fake speaks."""
_WITH_INTERPRETER = frozenset({"code-interpreter-v1"})
"""Aliases of those whose sandboxes answer on port 49999 by themselves."""
_WITH_DESKTOP = frozenset({"desktop"})
PLATFORM_TEMPLATES = ("base", "code-interpreter-v1", "mcp-gateway", "desktop")
"""Public templates that clients expect to exist.

Fact: control.templates.default
"""


_GONE, _SPAWNED = "deleted template", "starts of a template"


class Templates:
    """All templates of one fake.

    Args:
        ids: Makes template and build IDs.
        now_ns: When the platform's templates were made.
        records: Where they are written down.

    Attributes:
        on_removed: Is told of each template that has gone.
    """

    def __init__(self, ids: IdSource, now_ns: int, records: Records) -> None:
        self._records = records
        self._given_before: dict[tuple[str | None, str], Template] = {}
        self.on_removed: Callable[[Template], object] = lambda _: None
        self._by_id: dict[TemplateID, Template] = {}
        self._by_name: dict[tuple[str | None, str], Template] = {}
        self._gone: set[str] = set()
        self._lasting: list[Template] = []
        self._shelves: dict[tuple[TeamID | None, bool], list[tuple[int, TemplateID]]] = {}
        for alias in PLATFORM_TEMPLATES:
            setup = Setup(interpreter=alias in _WITH_INTERPRETER, desktop=alias in _WITH_DESKTOP)
            template = Template(
                template_id=ids.template_id(),
                team_id=None,
                namespace=None,
                aliases=(alias,),
                public=True,
                envd_version=ENVD_VERSION,
                created_at_ns=now_ns,
                is_default=True,
            )
            memory_mb = 1024 if alias in ("code-interpreter-v1", "desktop") else 512
            build = Build(ids.uuid(), now_ns, setup=setup, memory_mb=memory_mb)
            template.assign(Assignment(ids.uuid(), DEFAULT_TAG, build, now_ns))
            self.add(template)
            self.make_lasting(template)

    def add(self, template: Template) -> None:
        """Make a template known under its ID and its names."""
        if template.template_id not in self._by_id:
            insort(
                self._shelf(template.team_id, is_snapshot=template.is_snapshot), _place(template)
            )
        self._by_id[template.template_id] = template
        for alias in template.aliases:
            self._by_name[template.namespace, alias] = template

    def _shelf(self, team_id: TeamID | None, *, is_snapshot: bool) -> list[tuple[int, TemplateID]]:
        """Where a team's are in the order of their making, for a list is asked page by page."""
        return self._shelves.setdefault((team_id, is_snapshot), [])

    def keep(self, template: Template) -> None:
        """Write a template down as it is now."""
        self._records.keep(template)

    def keep_all(self) -> None:
        """Write all of them down."""
        for template in self._by_id.values():
            self.keep(template)

    def restore(self) -> None:
        """Have what was recorded, in place of the platform's own of the same names.

        What was given to the server before this one is not there; its ID and builds are known
        again once it is given to this one.
        """
        self._gone.update(self._records.values(_GONE))
        spawned = self._records.values(_SPAWNED)
        for template in self._records.all(Template):
            if template.template_id in spawned:
                template.spawned, template.last_spawned_at_ns = spawned[template.template_id]
            if template.is_default:
                for alias in template.aliases:
                    self._replace_default(alias, template)
            elif template.was_given and not template.history:
                self._given_before[template.namespace, template.alias] = template
            else:
                self.add(template)
                if template.bare_names:
                    self.claim_bare_names(template)

    def __iter__(self) -> Iterator[Template]:
        return iter(list(self._by_id.values()))

    def layers(self) -> list[LayerID]:
        """What the builds of all hold."""
        return [
            build.layer_id
            for template in self
            for build in template.history
            if build.layer_id is not None
        ]

    def drop_all_but(self, found: Set[LayerID]) -> None:
        """Forget the builds whose layers are none of these."""
        for template in self:
            lost = [
                each
                for each in template.history
                if each.layer_id is not None and each.layer_id not in found
            ]
            if lost:
                for build in lost:
                    build.gone, build.layer_id = True, None
                template.history = [each for each in template.history if each not in lost]
                template.assignments = [
                    each for each in template.assignments if each.build not in lost
                ]
                self.keep(template)

    def note_start(self, template: Template, at_ns: int) -> None:
        """Count a sandbox that was made from a template; a record of its own, for it is small."""
        template.spawned += 1
        template.last_spawned_at_ns = at_ns
        with suppress(OSError):  # the sandbox runs: it cannot be refused any more
            self._records.put(_SPAWNED, template.template_id, [template.spawned, at_ns])

    @contextmanager
    def changing(self, template: Template) -> Iterator[None]:
        """Around a change of a template, which is written down; else it has not happened."""
        before = template.public, template.assignments[:], template.history[:]
        had_bare_names, updated_at_ns = template.bare_names, template.updated_at_ns
        try:
            yield
            self.keep(template)
        except BaseException:
            template.public, template.assignments, template.history = before
            template.updated_at_ns = updated_at_ns
            if template.bare_names and not had_bare_names:
                template.bare_names = False
                for alias in template.aliases:
                    del self._by_name[None, alias]
            raise

    def _replace_default(self, alias: str, template: Template) -> None:
        fresh = self._by_name.get((None, alias))
        if fresh is not None:
            self.take_out(fresh)
            self._lasting.remove(fresh)
            # What its sandboxes are is this version's to say, what they are called is not.
            for build in template.history:
                build.setup = fresh.history[0].setup
        self.add(template)
        self.make_lasting(template)

    def given(self, team: Team, alias: str) -> Template | None:
        """A template that is about to be given again: as the team has it, or had it before."""
        found = self.owned(team, alias)
        if found is None:
            found = self._given_before.pop((team.slug, alias), None)
            if found is not None:
                self.add(found)
        return found

    def remove(self, template: Template) -> None:
        """Forget a template and free its names."""
        self._records.put(_GONE, template.template_id, True)
        self._records.forget(template)
        self._records.drop(_SPAWNED, template.template_id)
        self.take_out(template)
        self._gone.add(template.template_id)
        self.on_removed(template)  # its builds end, and find it gone

    def take_out(self, template: Template) -> None:
        """Know a template no longer, as if it had never been."""
        del self._by_id[template.template_id]
        shelf = self._shelf(template.team_id, is_snapshot=template.is_snapshot)
        del shelf[bisect_left(shelf, _place(template))]
        for alias in template.aliases:
            for key in ((template.namespace, alias), (None, alias)):
                if self._by_name.get(key) is template:
                    del self._by_name[key]

    def rename(self, template: Template, alias: str) -> None:
        """Let a template have this name alone; the names that it had are free."""
        for key in [key for key, owner in self._by_name.items() if owner is template]:
            del self._by_name[key]
        template.aliases, template.bare_names = (alias,), False
        self.add(template)

    def claim_bare_names(self, template: Template) -> None:
        """Let a template be found by its names without the namespace as well.

        Raises:
            ControlError: PUBLIC_NAME_TAKEN: another one has such a name; nothing has changed.
        """
        for alias in template.aliases:
            if self._by_name.get((None, alias), template) is not template:
                raise ControlError(
                    ControlKind.PUBLIC_NAME_TAKEN, alias=alias, slug=template.namespace
                )
        for alias in template.aliases:
            self._by_name[None, alias] = template
        template.bare_names = True

    def owned_by(self, team: Team) -> list[Template]:
        """The team's templates that are no snapshots, the oldest first."""
        shelf = self._shelf(team.team_id, is_snapshot=False)
        return [self._by_id[template_id] for _, template_id in shelf]

    def newest(self, team: Team, after: tuple[int, str] | None) -> Iterator[Template]:
        """The same, the newest first.

        Args:
            after: Instant and ID of the one after which they begin; None begins with the newest.
        """
        shelf = self._shelf(team.team_id, is_snapshot=False)
        end = len(shelf) if after is None else bisect_left(shelf, after)
        return (self._by_id[shelf[at][1]] for at in range(end - 1, -1, -1))

    def defaults(self) -> list[Template]:
        """Those that the platform offers to everyone."""
        return [each for each in self._by_id.values() if each.is_default]

    def snapshots(self, team: Team) -> list[Template]:
        """The team's templates that were made from sandboxes, the newest first."""
        shelf = self._shelf(team.team_id, is_snapshot=True)
        return [self._by_id[template_id] for _, template_id in reversed(shelf)]

    def make_lasting(self, template: Template) -> None:
        """Let a template, as it is now, be there after every reset."""
        template.make_lasting()
        if template not in self._lasting:
            self._lasting.append(template)

    def reset(self) -> list[Build]:
        """Have the templates of the start again, as they were; returns the builds that go."""
        gone: list[Build] = []
        for template in list(self._by_id.values()):
            gone += template.reset()
            if template not in self._lasting:
                self.remove(template)
        for template in self._lasting:
            gone += template.reset()
        # One may have the name now that was another's at the start.
        self._by_name.clear()
        for template in self._lasting:
            self.add(template)
            if template.bare_names:
                self.claim_bare_names(template)
        self._gone.clear()
        return gone

    def owned(self, team: Team, alias: str) -> Template | None:
        """The template of that name in the team's own namespace."""
        return self._by_name.get((team.slug, alias))

    def get(self, template_id: TemplateID) -> Template | None:
        """The template with that ID."""
        return self._by_id.get(template_id)

    def is_id(self, name: str) -> bool:
        """Whether a template has that ID, or had it."""
        return TemplateID(name) in self._by_id or name in self._gone

    def find(self, team: Team, reference: TemplateReference) -> tuple[Template | None, str]:
        """What a reference means to a team, and the name under which it was last looked for.

        A bare name is looked for in the team's namespace, then without one, then as an ID.
        """
        if reference.namespace is not None:
            key = (reference.namespace, reference.name)
            return self._by_name.get(key), reference.identifier
        own = self._by_name.get((team.slug, reference.name))
        if own is not None:
            return own, f"{team.slug}/{reference.name}"
        shared = self._by_name.get((None, reference.name))
        return shared or self._by_id.get(TemplateID(reference.name)), reference.name

    def cached_builds(self) -> list[str]:
        """IDs of the builds whose files are there, those of the platform's templates included."""
        return [
            build.build_id
            for template in self._by_id.values()
            for build in template.history
            if build.is_ready and (build.layer_id is not None or build.recipe is None)
        ]

    def resolve(self, team: Team, text: str) -> tuple[Template, Build]:
        """The template that a create request names, and the build that its tag means.

        Raises:
            ControlError: BAD_TEMPLATE_REFERENCE; TEMPLATE_NOT_FOUND, for another team's private
                one too; TAG_NOT_FOUND.

        Fact: control.template.resolution
        """
        try:
            reference = parse_reference(text)
        except BadReferenceError as error:
            raise ControlError(
                ControlKind.BAD_TEMPLATE_REFERENCE, reason=str(error.args[0])
            ) from error
        template, name = self.find(team, reference)
        if template is None or not self.may_use(team, template):
            raise ControlError(ControlKind.TEMPLATE_NOT_FOUND, name=name)
        tag = reference.tag or DEFAULT_TAG
        build = template.find_build(tag)
        if build is None:
            raise ControlError(ControlKind.TAG_NOT_FOUND, name=name, tag=tag)
        return template, build

    def resolve_owned(self, team: Team, text: str) -> Template:
        """The team's template that a request to delete it names; a tag is read and not minded.

        Raises:
            ControlError: BAD_TEMPLATE_ID, TEMPLATE_NOT_FOUND, TEMPLATE_FORBIDDEN.

        Fact: control.templates.delete
        """
        try:
            reference = parse_reference(text)
        except BadReferenceError as error:
            raise ControlError(ControlKind.BAD_TEMPLATE_ID, reason=error.args[0]) from error
        template, name = self.find(team, reference)
        if template is None or not self.may_use(team, template):
            raise ControlError(ControlKind.TEMPLATE_NOT_FOUND, name=name)
        if not _is_of(team, template):
            raise ControlError(ControlKind.TEMPLATE_FORBIDDEN, name=name)
        return template

    @staticmethod
    def may_use(team: Team, template: Template) -> bool:
        """Whether a team sees a template."""
        return template.public or template.team_id == team.team_id

    def resolve_filter(self, team: Team, text: str) -> TemplateID | None:
        """The ID that a list's template filter names; None when there is no such template.

        Raises:
            ControlError: BAD_TEMPLATE_FILTER, TEMPLATE_FILTER_TAG.

        Fact: control.list.template-filter
        """
        try:
            reference = parse_reference(text)
        except BadReferenceError as error:
            raise ControlError(ControlKind.BAD_TEMPLATE_FILTER, reason=error.args[0]) from error
        if ":" in text:
            raise ControlError(ControlKind.TEMPLATE_FILTER_TAG)
        template, _ = self.find(team, reference)
        usable = template is not None and self.may_use(team, template)
        return template.template_id if template is not None and usable else None


def own_reference(team: Team, text: str) -> TemplateReference:
    """A name that the team may give.

    Raises:
        ControlError: BAD_SNAPSHOT_NAME, FOREIGN_NAMESPACE.
    """
    try:
        reference = parse_reference(text)
    except BadReferenceError as error:
        raise ControlError(ControlKind.BAD_SNAPSHOT_NAME, reason=error.args[0]) from error
    if reference.namespace not in (None, team.slug):
        raise ControlError(
            ControlKind.FOREIGN_NAMESPACE, namespace=reference.namespace, slug=team.slug
        )
    return reference


def _is_of(team: Team, template: Template) -> bool:
    return template.team_id == team.team_id


def _place(template: Template) -> tuple[int, TemplateID]:
    return template.created_at_ns, template.template_id
