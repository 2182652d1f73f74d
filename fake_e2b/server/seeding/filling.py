"""Makes what a plan says, and takes all of it back when something cannot be made.

Fact: fake.seed.whole
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import cast

from fake_e2b.backend.control import ControlBackend
from fake_e2b.backend.envd import Envd
from fake_e2b.domain.errors import FakeE2BError, UsageError
from fake_e2b.domain.event import EventType
from fake_e2b.domain.ids import SandboxID
from fake_e2b.domain.seed import forms
from fake_e2b.domain.seed.forms import Filed
from fake_e2b.domain.seed.outcome import SeedFailedError, SeedItem
from fake_e2b.domain.team import Team
from fake_e2b.domain.template import Template, parse_reference
from fake_e2b.server.connection import LOGGER
from fake_e2b.server.seeding.furnishing import Furnisher, fill_volume
from fake_e2b.server.seeding.plan import Plan, limited
from fake_e2b.server.seeding.present import Present
from fake_e2b.server.seeding.requirements import request_of
from fake_e2b.server.seeding.words import REFUSALS, words_of

Undo = Callable[[], Awaitable[object]]


class Filling:
    """One fill.

    Args:
        own: The fake's own team.

    Attributes:
        made: What was made until now.
        sandboxes: The IDs of the sandboxes among it.
    """

    def __init__(self, backend: ControlBackend, own: Team, furnisher: Furnisher) -> None:
        self._backend = backend
        self._own = own
        self._furnisher = furnisher
        self._present = Present(backend)
        self._undo: list[Undo] = []
        self.made: list[SeedItem] = []
        self.sandboxes: list[SandboxID] = []

    async def make(self, plan: Plan) -> None:
        """Make all of it, or nothing.

        Raises:
            SeedFailedError: Something could not be made.
        """
        at: Filed | None = None
        try:
            self._set_limits(plan)
            for filed in plan.tables:
                if isinstance(filed.form, forms.TeamForm):
                    self._make_team(filed.form)
            self._make_keys(plan)
            for at in plan.tables:
                await self._make(at)
            for at in plan.tables:
                if isinstance(at.form, forms.SandboxForm) and at.form.paused:
                    await self._pause(at.form)
        except BaseException as error:
            await self._take_back()
            if isinstance(error, (*REFUSALS, UsageError)):
                text = str(error) if isinstance(error, UsageError) else words_of(error)
                named = "" if at is None else f"{at.section} {at.name!r}: "
                where = (None, 0) if at is None else (at.section, at.index)
                raise SeedFailedError(named + text, *where) from error
            raise

    async def _take_back(self) -> None:
        for undo in reversed(self._undo):
            try:
                await undo()
            except (FakeE2BError, OSError):
                LOGGER.exception("what a seed had made could not be taken back")

    def _team(self, slug: str | None) -> Team:
        wanted = self._own.slug if slug is None else slug
        return next(each for each in self._backend.teams if each.slug == wanted)

    def _note(self, kind: str, name: str, team: str | None = None, id: str | None = None) -> None:
        self.made.append(SeedItem(kind, name, team, id))

    def _on_undo(self, step: Callable[[], object]) -> None:
        async def undo() -> None:
            step()

        self._undo.append(undo)

    # -- teams ------------------------------------------------------------------------------------

    def _set_limits(self, plan: Plan) -> None:
        for filed in plan.limits:
            assert isinstance(filed.form, forms.TeamForm)
            team = self._team(filed.form.slug)
            set_limits, wanted = self._backend.teams.set_limits, limited(team, filed.form)
            before = team.max_length_hours, team.concurrent_sandboxes
            self._on_undo(partial(set_limits, team, *before))
            set_limits(team, wanted.max_length_hours, wanted.concurrent_sandboxes)
            self._note("limits of team", team.slug)

    def _make_team(self, form: forms.TeamForm) -> None:
        teams = self._backend.teams
        team = teams.take_team(form.slug, form.max_length_hours, form.concurrent_sandboxes)
        self._on_undo(lambda: teams.drop_team(team))
        self._note("team", form.slug, id=team.team_id)

    def _make_keys(self, plan: Plan) -> None:
        for filed, key in plan.keys:
            made = self._backend.teams.take_key(self._team(filed.name), key.key, key.name)
            self._on_undo(partial(self._backend.teams.drop_key, made))
            self._note("API key", key.name, filed.name)
        for token in plan.tokens:
            token_id = self._backend.accounts.take_access_token(token.token, token.name).token_id
            self._on_undo(partial(self._backend.accounts.delete_access_token, token_id))
            self._note("access token", token.name)

    # -- what teams have --------------------------------------------------------------------------

    async def _make(self, filed: Filed) -> None:
        if isinstance(filed.form, forms.TeamForm):
            return
        team = self._team(filed.team)
        match filed.form:
            case forms.SecretForm() as form:
                made_id = self._make_secret(team, form)
            case forms.VolumeForm() as form:
                made_id = await self._make_volume(team, form, filed)
            case forms.TemplateForm() as form:
                made_id = self._make_template(team, form, filed)
            case forms.WebhookForm() as form:
                made_id = self._make_webhook(team, form)
            case forms.SandboxForm() as form:
                made_id = await self._make_sandbox(team, form, filed)
            case forms.SnapshotForm() as form:
                made_id = await self._make_snapshot(team, form)
        self._note(filed.section, filed.name, filed.team, made_id)

    def _make_secret(self, team: Team, form: forms.SecretForm) -> str:
        secrets = self._backend.secrets
        first, *later = form.values
        made = secrets.create(team, form.name, first, form.metadata)
        self._on_undo(lambda: secrets.delete(team, made.secret_id))
        for value in later:
            secrets.update(team, made.secret_id, value, None)
        return made.secret_id

    async def _make_volume(self, team: Team, form: forms.VolumeForm, filed: Filed) -> str:
        volumes = self._backend.volumes
        made = await volumes.create(team, form.name)
        self._undo.append(lambda: volumes.delete(team, made.volume_id))
        await _in_thread(partial(fill_volume, volumes.open(made), filed.files))
        return made.volume_id

    def _make_template(self, team: Team, form: forms.TemplateForm, filed: Filed) -> str:
        templates = self._backend.templates
        alias = parse_reference(form.name).name
        was_there = templates.owned(team, alias) is not None
        assert filed.definition is not None
        made = self._backend.builds.define(team, filed.definition)
        tag = next(reversed(made.tags))
        if was_there:
            self._on_undo(partial(self._unassign, made, tag))
        else:
            delete = self._backend.sandboxes.snapshots.delete_template
            self._undo.append(lambda: delete(team, made.template_id))
        if form.public and not made.public:
            self._backend.catalog.update(team, made.template_id, public=True)
        return made.template_id

    def _make_webhook(self, team: Team, form: forms.WebhookForm) -> str:
        webhooks = self._backend.webhooks
        made = webhooks.create(
            team,
            name=form.name,
            url=form.url,
            events=[EventType(each) for each in form.events],
            enabled=form.enabled,
            secret=form.secret,
        )
        self._on_undo(lambda: webhooks.delete(team, made.webhook_id))
        return made.webhook_id

    # -- sandboxes --------------------------------------------------------------------------------

    async def _make_sandbox(self, team: Team, form: forms.SandboxForm, filed: Filed) -> str:
        sandboxes = self._backend.sandboxes
        made = await sandboxes.create(team, request_of(form))
        self._undo.append(lambda: sandboxes.kill(team, made.sandbox_id))
        self.sandboxes.append(made.sandbox_id)
        record = sandboxes.record(made.sandbox_id)
        if record is None or record.machine is None:
            raise UsageError("it was gone before its files were written")
        envd = cast(Envd, record.machine.envd)
        await _in_thread(partial(self._furnisher.write, envd, form.user, filed.files))
        for text in form.run:
            await self._furnisher.run(envd, form.user, text)
        for text in form.start:
            await self._furnisher.start(envd, form.user, text)
        return made.sandbox_id

    async def _make_snapshot(self, team: Team, form: forms.SnapshotForm) -> str:
        source = self._present.sandbox(team, form.sandbox)
        if source is None:
            raise UsageError(f"the sandbox {form.sandbox!r} is gone")
        snapshots = self._backend.sandboxes.snapshots
        existed = self._present.build(team, form.name)[0]
        made = await snapshots.create(team, source.sandbox_id, name=form.name)
        if existed is None:
            self._undo.append(lambda: snapshots.delete_template(team, made.template.template_id))
        else:
            self._on_undo(partial(self._unassign, made.template, made.tag))
        return made.snapshot_id

    def _unassign(self, template: Template, tag: str) -> None:
        template.unassign([tag], self._backend.clock.now_ns())
        self._backend.templates.keep(template)

    async def _pause(self, form: forms.SandboxForm) -> None:
        team = self._team(form.team)
        found = self._present.sandbox(team, form.name)
        if found is None:
            raise UsageError("it was gone before it was to be paused")
        await self._backend.sandboxes.pause(team, found.sandbox_id)


async def _in_thread(write: Callable[[], None]) -> None:
    """Do what blocks in a thread; cancelled, it is waited for: it needs what is then taken back."""
    writing = asyncio.ensure_future(asyncio.to_thread(write))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait([writing])
        if not writing.cancelled():
            writing.exception()  # seen: it would be complained of
        raise
