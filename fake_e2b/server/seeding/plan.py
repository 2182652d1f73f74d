"""What a seed means to a fake as it is: new, there already, in conflict, or nothing at all.

Nothing is changed here, and everything that can be known before is found out.

Facts: fake.seed.whole, fake.seed.names
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fake_e2b.backend.control import ControlBackend
from fake_e2b.domain.control_errors import ControlError
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.ids import TeamID
from fake_e2b.domain.secret import canonical_name
from fake_e2b.domain.seed import forms
from fake_e2b.domain.seed.forms import Filed, KeyForm, Seed, SeedError, TeamForm, TokenForm
from fake_e2b.domain.seed.outcome import SeedItem
from fake_e2b.domain.team import Team
from fake_e2b.domain.template import DEFAULT_TAG, parse_reference
from fake_e2b.server.seeding.present import Present
from fake_e2b.server.seeding.requirements import Requirements
from fake_e2b.server.seeding.words import words_of
from fake_e2b.wire.validation import InvalidRequestError

NO_TEAM = TeamID("")
"""What a team has for an ID that is not made yet."""


@dataclass(slots=True)
class Plan:
    """What is to be done.

    Attributes:
        tables: What is to be made, in the order of making.
        keys: Keys to be made, each with the table of its team.
        limits: Tables of teams that are there and are to have other limits.
        tokens: Access tokens to be made.
        there: What is there already.
        conflicts: What is there and differs, in a sentence each.
    """

    tables: list[Filed] = field(default_factory=list)
    keys: list[tuple[Filed, KeyForm]] = field(default_factory=list)
    limits: list[Filed] = field(default_factory=list)
    tokens: list[TokenForm] = field(default_factory=list)
    there: list[SeedItem] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)


def limited(team: Team, form: TeamForm) -> Team:
    """The team with the limits that a form sets; the others are as they were."""
    hours, running = form.max_length_hours, form.concurrent_sandboxes
    return replace(
        team,
        max_length_hours=team.max_length_hours if hours is None else hours,
        concurrent_sandboxes=team.concurrent_sandboxes if running is None else running,
    )


class Planner:
    """Makes the plan of one seed.

    Args:
        own: The fake's own team, which is meant where none is named.
    """

    def __init__(self, backend: ControlBackend, own: Team) -> None:
        self._backend = backend
        self._own = own
        self._there = {team.slug: team for team in backend.teams}
        self._teams = dict(self._there)
        self._present = Present(backend)
        self._needs = Requirements(backend)
        self._plan = Plan()
        self._named: set[tuple[str, str, str]] = set()
        self._keys: dict[str, str] = {}
        """Keys that are to be made, and the slug of the team that each is for."""

    def made(self, seed: Seed) -> Plan:
        """The plan.

        Raises:
            SeedError: The first table that a fake like this one cannot have.
        """
        known = {each.token for each in self._backend.accounts.access_tokens()}
        wanted: set[str] = set()
        for token in seed.access_tokens:
            if token.token in known:
                self._plan.there.append(SeedItem("access token", token.name))
            elif token.token not in wanted:
                wanted.add(token.token)
                self._plan.tokens.append(token)
        for filed in seed.tables:
            try:
                self._take(filed)
            except _TwiceError as error:
                raise SeedError(
                    f"there are two of {filed.section} {filed.name!r}", filed.section, filed.index
                ) from error
            except (ControlError, InvalidRequestError, UsageError) as error:
                text = str(error) if isinstance(error, UsageError) else words_of(error)
                raise SeedError(
                    f"{filed.section} {filed.name!r}: {text}", filed.section, filed.index
                ) from error
        return self._plan

    def _take(self, filed: Filed) -> None:
        if isinstance(filed.form, TeamForm):
            self._name(filed, filed.name)
            self._take_team(filed, filed.form)
            return
        team = self._team(filed.team)
        is_there, difference = self._look(team, filed)
        self._name(filed, team.slug)
        if difference is not None:
            self._plan.conflicts.append(
                f"{filed.section} {filed.name!r} is there already: {difference}"
            )
        elif is_there:
            self._plan.there.append(SeedItem(filed.section, filed.name, filed.team))
        else:
            self._plan.tables.append(filed)

    def _name(self, filed: Filed, slug: str) -> None:
        """Note what a table means: `team` may be left out, names have more than one form."""
        named = filed.section, slug, _canonical(filed.form)
        if named in self._named:
            raise _TwiceError
        self._named.add(named)

    def _team(self, slug: str | None) -> Team:
        """A team as it will be; it may have no ID yet."""
        found = self._teams.get(self._own.slug if slug is None else slug)
        if found is None:
            raise UsageError(f"there is no team {slug!r}; write it as a table [[team]]")
        return found

    def _look(self, team: Team, filed: Filed) -> tuple[bool, str | None]:
        """Check a table; whether what it names is there, and in what it differs."""
        present, needs = self._present, self._needs
        match filed.form:
            case forms.SecretForm() as form:
                return present.secret(team, form, needs.secret(form))
            case forms.VolumeForm() as form:
                needs.volume(team, form)
                return present.volume(team, form)
            case forms.TemplateForm() as form:
                assert filed.definition is not None
                needs.template(team, form)
                return present.template(team, form, filed.definition)
            case forms.WebhookForm() as form:
                needs.webhook(form)
                return present.webhook(team, form)
            case forms.SandboxForm() as form:
                needs.sandbox(team, form)
                return present.like_sandbox(team, form)
            case forms.SnapshotForm() as form:
                is_there = present.sandbox(team, form.sandbox) is not None
                return present.snapshot(team, needs.snapshot(team, form, is_there)), None
            case _:
                raise TypeError(filed.section)

    def _take_team(self, filed: Filed, form: TeamForm) -> None:
        known = self._there.get(form.slug)
        team = limited(known or replace(self._own, team_id=NO_TEAM, slug=form.slug), form)
        self._teams[form.slug] = team
        if known is None:
            self._plan.tables.append(filed)
        elif team != known:
            self._plan.limits.append(filed)
        else:
            self._plan.there.append(SeedItem("team", form.slug))
        for key in filed.keys:
            holder = self._backend.teams.find_key(key.key)
            meant = self._keys.get(key.key)
            if holder is None and meant is None:
                self._keys[key.key] = form.slug
                self._plan.keys.append((filed, key))
            elif holder is None and meant != form.slug:
                raise UsageError(f"the API key {key.name!r} is also that of team {meant!r}")
            elif holder is not None and holder.team.slug == form.slug:
                self._plan.there.append(SeedItem("API key", key.name, form.slug))
            elif holder is not None:
                self._plan.conflicts.append(
                    f"API key {key.name!r} of team {form.slug!r} is there already: "
                    f"it stands for team {holder.team.slug!r}"
                )


class _TwiceError(UsageError):
    """Two tables mean the same."""


def _canonical(form: forms.Form) -> str:
    """One form of a name that the service would take."""
    match form:
        case forms.TeamForm():
            return form.slug
        case forms.SecretForm():
            return canonical_name(form.name) or form.name
        case forms.TemplateForm() | forms.SnapshotForm():
            reference = parse_reference(form.name)
            return f"{reference.name}:{reference.tag or DEFAULT_TAG}"
        case _:
            return form.name
