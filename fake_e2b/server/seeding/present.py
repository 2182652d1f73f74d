"""What of a seed is there already, and whether it is what the seed says.

Names decide what is meant. Compared is what a seed says for good: a secret's value, a webhook's
URL, how a template is made, a sandbox's metadata. Files of volumes and sandboxes are there to be
changed.

Fact: fake.seed.names
"""

from __future__ import annotations

from fake_e2b.backend.control import ControlBackend
from fake_e2b.backend.template_builds import settled, setup_of
from fake_e2b.domain.control_errors import ControlError
from fake_e2b.domain.recipe import Definition
from fake_e2b.domain.sandbox import SHOWN_AS, Sandbox
from fake_e2b.domain.seed.forms import (
    SEED_NAME,
    SandboxForm,
    SecretForm,
    TemplateForm,
    VolumeForm,
    WebhookForm,
)
from fake_e2b.domain.team import Team
from fake_e2b.domain.template import DEFAULT_TAG, Build, Template, parse_reference

Found = tuple[bool, str | None]
"""Whether it is there, and in what it differs from what is asked for."""
ABSENT: Found = (False, None)


class Present:
    """Looks around in one fake."""

    def __init__(self, backend: ControlBackend) -> None:
        self._backend = backend

    def secret(self, team: Team, form: SecretForm, name: str) -> Found:
        """The secret of that canonical name."""
        try:
            found = self._backend.secrets.get(team, name)
        except ControlError:
            return ABSENT
        if list(found.versions) != list(form.values):
            return True, "it has another value, or other versions"
        if found.metadata != dict(form.metadata):
            return True, "it has other metadata"
        return True, None

    def volume(self, team: Team, form: VolumeForm) -> Found:
        """The volume; what is in it may have become anything."""
        return self._backend.volumes.find(team.team_id, form.name) is not None, None

    def template(self, team: Team, form: TemplateForm, definition: Definition) -> Found:
        """The build that the template's tag means."""
        template, build = self.build(team, definition.name)
        if template is None or build is None:
            return ABSENT
        if build.recipe is not None:
            difference = self._difference(team, template, build, definition)
            if difference is not None:
                return True, f"it {difference}"
        if form.public and not template.public:
            return True, "it is private"
        return True, None

    def build(self, team: Team, name: str) -> tuple[Template | None, Build | None]:
        """A team's own template of a name, and the build that the name's tag means."""
        reference = parse_reference(name)
        template = self._backend.templates.owned(team, reference.name)
        if template is None:
            return None, None
        return template, template.builds.get(reference.tag or DEFAULT_TAG)

    def _difference(
        self, team: Team, template: Template, build: Build, definition: Definition
    ) -> str | None:
        try:
            _, base = self._backend.templates.resolve(team, definition.recipe.base)
        except ControlError:
            return f"does not start from {definition.recipe.base!r}"
        setup = setup_of(definition, base.setup)
        if build.base is not base:
            return f"does not start from {definition.recipe.base!r} as that is now"
        if build.setup != setup:
            return "has another user, folder, variables or start command"
        items = tuple(settled(each, setup) for each in definition.recipe.items)
        if build.recipe is not None and set(build.recipe.items) != set(items):
            return "has other files"
        sizes = (definition.cpu_count, definition.memory_mb, definition.disk_size_mb)
        if (build.cpu_count, build.memory_mb, build.disk_size_mb) != sizes:
            return "has other sizes"
        limits = (definition.memory_limit_mb, definition.disk_limit_mb)
        if (template.limits.memory_mb, template.limits.disk_mb) != limits:
            return "has other limits"
        return None

    def webhook(self, team: Team, form: WebhookForm) -> Found:
        """The first webhook of that name."""
        for each in self._backend.webhooks.all(team):
            if each.name == form.name:
                is_so = (
                    each.url == form.url
                    and set(map(str, each.events)) == set(form.events)
                    and each.enabled == form.enabled
                    and each.secret == form.secret
                )
                return True, None if is_so else "it has another URL, events, secret or state"
        return ABSENT

    def like_sandbox(self, team: Team, form: SandboxForm) -> Found:
        """The sandbox of that name; nothing but its metadata stays as it was made."""
        found = self.sandbox(team, form.name)
        if found is None:
            return ABSENT
        metadata = {**(found.metadata or {})}
        metadata.pop(SEED_NAME, None)
        return True, None if metadata == dict(form.metadata) else "it has other metadata"

    def sandbox(self, team: Team, name: str) -> Sandbox | None:
        """The sandbox that was made under that name, or has it for an ID."""
        for record in self._backend.sandboxes.records():
            sandbox = record.sandbox
            is_there = SHOWN_AS[sandbox.state] is not None and sandbox.team_id == team.team_id
            if is_there and name in (name_of(sandbox), sandbox.sandbox_id):
                return sandbox
        return None

    def snapshot(self, team: Team, name: str) -> bool:
        """Whether a name means a build already."""
        return self.build(team, name)[1] is not None


def name_of(sandbox: Sandbox) -> str:
    """What a seed calls a sandbox; its ID when it was not made from one."""
    return (sandbox.metadata or {}).get(SEED_NAME, sandbox.sandbox_id)
