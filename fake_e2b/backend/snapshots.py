"""Snapshots of running sandboxes, which are templates; and the end of any template.

The service keeps memory as well; what a machine of processes cannot give is the listed gap
`snapshots.memory`: what starts from a snapshot has its files alone.

Facts: control.snapshots.create, control.snapshots.list
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fake_e2b.backend.lifecycle import Lifecycle
from fake_e2b.backend.moments import Moment
from fake_e2b.backend.store import Record, Store
from fake_e2b.backend.templates import Templates, own_reference
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.ids import IdSource, SandboxID
from fake_e2b.domain.sandbox import Sandbox, State, short_id
from fake_e2b.domain.team import Team
from fake_e2b.domain.template import (
    DEFAULT_TAG,
    Assignment,
    Build,
    Template,
    TemplateReference,
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot as lists show it.

    Attributes:
        snapshot_id: What a create request names: `<name or ID>:<tag>`.
    """

    template: Template
    tag: str

    @property
    def snapshot_id(self) -> str:
        """What a create request names: its first name or its ID, and the tag."""
        names = self.template.names
        return f"{names[0] if names else self.template.template_id}:{self.tag}"


@dataclass(frozen=True, slots=True)
class SnapshotPage:
    """One page; `last` is what the next one comes after, None on the last page."""

    snapshots: list[Snapshot]
    last: Template | None


class Snapshots:
    """Makes, lists and deletes them.

    Args:
        find: The record of a team's sandbox, by the text of a path; raises what a path may.
    """

    def __init__(
        self,
        *,
        find: Callable[[Team, str], Record],
        ids: IdSource,
        clock: Clock,
        lifecycle: Lifecycle,
        store: Store,
        templates: Templates,
    ) -> None:
        self._find = find
        self._ids = ids
        self._clock = clock
        self._lifecycle = lifecycle
        self._store = store
        self._templates = templates

    async def create(self, team: Team, text: str, *, name: str | None) -> Snapshot:
        """Make a template from a running sandbox, which goes on.

        Args:
            name: ``[team/]alias[:tag]``: a further build of the template that the team has under
                that name, else a new one.

        Raises:
            ControlError: INVALID_SANDBOX_ID; BAD_SNAPSHOT_NAME, FOREIGN_NAMESPACE;
                SANDBOX_NOT_FOUND (for a paused one too), CANNOT_SNAPSHOT; SNAPSHOT_FAILED.
        """
        if short_id(text) is None:
            raise ControlError(ControlKind.INVALID_SANDBOX_ID)
        reference = None if name is None else own_reference(team, name)
        record = self._find(team, text)
        state = record.sandbox.state
        if state is State.PAUSED:
            raise ControlError(ControlKind.SANDBOX_NOT_FOUND, sandbox_id=record.sandbox.sandbox_id)
        if state is not State.RUNNING or record.machine is None:
            if state is State.SNAPSHOTTING and record.move is not None:
                await record.move.done.wait()
            raise ControlError(
                ControlKind.CANNOT_SNAPSHOT,
                sandbox_id=record.sandbox.sandbox_id,
                state=state.value,
            )
        epoch = self._lifecycle.epoch
        layer_id = await self._lifecycle.capture(record, ControlKind.SNAPSHOT_FAILED)
        if epoch != self._lifecycle.epoch:
            await self._lifecycle.release(layer_id)
            raise ControlError(ControlKind.SNAPSHOT_FAILED)
        sandbox = record.sandbox
        build = Build(
            self._ids.uuid(),
            self._clock.now_ns(),
            layer_id,
            sandbox.setup,
            sandbox.sandbox_id,
            cpu_count=sandbox.cpu_count,
            memory_mb=sandbox.memory_mb,
            disk_size_mb=sandbox.disk_size_mb,
        )
        tag = (reference.tag if reference is not None else None) or DEFAULT_TAG
        known = None if reference is None else self._templates.owned(team, reference.name)
        template = known or self._new_template(team, reference, sandbox)
        try:
            with self._templates.changing(template):
                template.assign(Assignment(self._ids.uuid(), tag, build, self._clock.now_ns()))
        except OSError as error:
            if known is None:
                self._templates.take_out(template)
            await self._lifecycle.release(layer_id)
            raise ControlError(ControlKind.SNAPSHOT_FAILED) from error
        self._lifecycle.tell(Moment.SNAPSHOTTED, sandbox)
        return Snapshot(template, tag)

    def _new_template(
        self, team: Team, reference: TemplateReference | None, sandbox: Sandbox
    ) -> Template:
        template = Template(
            template_id=self._ids.template_id(),
            team_id=team.team_id,
            namespace=team.slug,
            aliases=() if reference is None else (reference.name,),
            public=False,
            envd_version=sandbox.envd_version,
            created_at_ns=self._clock.now_ns(),
            limits=sandbox.limits,
            is_snapshot=True,
        )
        self._templates.add(template)
        return template

    def page(
        self,
        team: Team,
        *,
        sandbox_id: str | None,
        name: str | None,
        limit: int,
        after: tuple[int, str] | None,
    ) -> SnapshotPage:
        """The next snapshots, the newest template first, each template once.

        Args:
            sandbox_id: Only those made from this sandbox.
            name: Only the template of that name or ID; with a tag, only if it has it.
            after: Time and ID of the last template of the page before.

        Raises:
            ControlError: INVALID_SANDBOX_ID, BAD_SNAPSHOT_NAME, FOREIGN_NAMESPACE.
        """
        source = _source(sandbox_id)
        wanted = None if name is None else _Wanted.of(team, name)
        found: list[Snapshot] = []
        for template in self._templates.snapshots(team):
            if after is not None and (template.created_at_ns, template.template_id) >= after:
                continue
            tag = _shown_tag(template) if wanted is None else wanted.tag_of(template)
            if tag is None or (source is not None and not _is_from(template, source)):
                continue
            if len(found) == limit:
                return SnapshotPage(found, found[-1].template)
            found.append(Snapshot(template, tag))
        return SnapshotPage(found, None)

    async def delete_template(self, team: Team, text: str) -> None:
        """Forget one of the team's templates, all its tags included.

        Raises:
            ControlError: BAD_TEMPLATE_ID, TEMPLATE_NOT_FOUND, TEMPLATE_FORBIDDEN,
                TEMPLATE_IN_USE.
        """
        template = self._templates.resolve_owned(team, text)
        for state in (State.RUNNING, State.PAUSED):
            for record in self._store.records.values():
                sandbox = record.sandbox
                is_paused = sandbox.state is State.PAUSED
                if sandbox.template_id == template.template_id and is_paused == (
                    state is State.PAUSED
                ):
                    raise ControlError(
                        ControlKind.TEMPLATE_IN_USE,
                        template_id=template.template_id,
                        state=state.value,
                    )
        self._templates.remove(template)
        for build in template.clear():
            await self._release(build)

    async def reset(self) -> None:
        """Forget everything that was not there at the start, and have back what was."""
        for build in self._templates.reset():
            await self._release(build)

    async def _release(self, build: Build) -> None:
        layer_id, build.layer_id = build.layer_id, None
        build.gone = True
        if layer_id is not None:
            await self._lifecycle.release(layer_id)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A list's filter by name; without a tag every tag will do."""

    name: str
    tag: str | None

    @classmethod
    def of(cls, team: Team, text: str) -> _Wanted:
        reference = own_reference(team, text)
        # `x:default` asks for that tag, which a reference does not tell from none.
        return cls(reference.name, (reference.tag or DEFAULT_TAG) if ":" in text else None)

    def tag_of(self, template: Template) -> str | None:
        """The tag to show; None when the template is not meant."""
        if self.name not in template.aliases and self.name != template.template_id:
            return None
        if self.tag is None:
            return _shown_tag(template)
        return self.tag if self.tag in template.builds else None


def _source(text: str | None) -> SandboxID | None:
    if text is None:
        return None
    found = short_id(text)
    if found is None:
        raise ControlError(ControlKind.INVALID_SANDBOX_ID)
    return found


def _shown_tag(template: Template) -> str | None:
    return next(reversed(template.builds), None)


def _is_from(template: Template, source: SandboxID) -> bool:
    return any(build.source_id == source for build in template.builds.values())
