"""Writes a seed of what is in a fake, and says what of it no seed can say.

Lists are in the order of names, so that two fakes with the same in them give the same text.

Fact: fake.seed.export
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from fake_e2b.backend.control import ControlBackend
from fake_e2b.backend.envd import Envd
from fake_e2b.domain.forms import camel, write
from fake_e2b.domain.recipe import File, Folder, Item, Link
from fake_e2b.domain.sandbox import SHOWN_AS, OnTimeout, Sandbox, State
from fake_e2b.domain.seed.forms import (
    NOT_EXPORTED,
    SEED_NAME,
    FileForm,
    SandboxForm,
    TeamForm,
    TemplateForm,
    VolumeForm,
)
from fake_e2b.domain.team import Team
from fake_e2b.domain.template import DEFAULT_TAG, Build, Template
from fake_e2b.server.seeding.contents import content_form, home_files, octal, shown, volume_files
from fake_e2b.server.seeding.furnishing import shell_command
from fake_e2b.server.seeding.present import name_of

Table = dict[str, Any]
_NO_VARIABLE = re.compile(r"[^A-Z0-9]+")

_LAYER = "its files are kept as a layer, which no seed can hold"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an export is to hold besides.

    Attributes:
        secrets: Values of secrets, rather than names of variables that will have them.
        files: What is in the sandboxes' home folders.
    """

    secrets: bool = False
    files: bool = False


class Exporter:
    """Exports one fake.

    Args:
        own: The fake's own team.
        without: Keys and tokens that the fake made for itself: another has others.
    """

    def __init__(self, backend: ControlBackend, own: Team, without: set[str]) -> None:
        self._backend = backend
        self._own = own
        self._usual = own.max_length_hours, own.concurrent_sandboxes
        self._without = without

    async def document(self, wanted: Wanted) -> Table:
        """The seed, with the list of what is not in it."""
        left: list[Table] = []
        document: dict[str, list[Any]] = {
            "access_tokens": [
                _short({"token": each.token, "name": each.name}, "token")
                for each in self._backend.accounts.access_tokens()
                if each.token not in self._without
            ],
            "team": [],
            "secret": [],
            "volume": [],
            "template": [],
            "sandbox": [],
            "webhook": [],
        }
        teams = sorted(self._backend.teams, key=lambda each: (each is not self._own, each.slug))
        slugs = [(team, None if team is self._own else team.slug) for team in teams]
        builds = _Builds(self._backend, left)
        document["template"] = builds.of(slugs)  # first: any team's may be started from
        for team, slug in slugs:
            own = _Own(self._backend, team, slug, wanted, left)
            if (table := self._team(team)) is not None:
                document["team"].append(table)
            document["secret"] += own.secrets()
            document["volume"] += await own.volumes()
            document["sandbox"] += await own.sandboxes(builds)
            document["webhook"] += own.webhooks()
            own.note_snapshots()
        shown_as = {camel(name): found for name, found in document.items() if found}
        return {**shown_as, camel(NOT_EXPORTED): left} if left else shown_as

    def _team(self, team: Team) -> Table | None:
        keys = [
            _short({"key": each.key, "name": each.name}, "key")
            for each in self._backend.teams.keys_of(team)
            if each.key not in self._without
        ]
        hours, running = self._usual
        form = TeamForm(
            team.slug,
            tuple(keys),
            None if team.max_length_hours == hours else team.max_length_hours,
            None if team.concurrent_sandboxes == running else team.concurrent_sandboxes,
        )
        table = write(form)
        return None if team is self._own and len(table) == 1 else table


def _short(table: Table, key: str) -> Any:
    """A plain text for what has the usual name."""
    return table[key] if table["name"] == "Default" else table


class _Own:
    """What one team has."""

    def __init__(
        self,
        backend: ControlBackend,
        team: Team,
        slug: str | None,
        wanted: Wanted,
        left: list[Table],
    ) -> None:
        self._backend = backend
        self._team = team
        self.slug = slug
        self._wanted = wanted
        self._left = left

    def _leave(self, what: str, name: str, why: str) -> None:
        self._left.append(_left_out(what, name, self.slug, why))

    def _named(self, name: str) -> Table:
        return {"name": name} if self.slug is None else {"name": name, "team": self.slug}

    def _secret(self, value: str, *words: str) -> Any:
        if self._wanted.secrets:
            return value
        parts = ("SEED", *([] if self.slug is None else [self.slug]), *words)
        return {"env": "_".join(_NO_VARIABLE.sub("_", part.upper()) for part in parts)}

    def secrets(self) -> list[Table]:
        """Its secrets, values only if wanted."""
        tables = []
        page = self._backend.secrets.page(self._team, limit=1_000_000, after=None)
        for each in sorted(page.secrets, key=lambda each: each.name):
            table = self._named(each.name)
            if each.version == 1:
                table["value"] = self._secret(each.versions[0], "secret", each.name)
            else:
                table["versions"] = [
                    self._secret(value, "secret", each.name, f"v{number}")
                    for number, value in enumerate(each.versions, start=1)
                ]
            if each.metadata:
                table["metadata"] = dict(each.metadata)
            tables.append(table)
        return tables

    async def volumes(self) -> list[Table]:
        """Its volumes and their files."""
        tables = []
        for each in sorted(self._backend.volumes.list(self._team), key=lambda each: each.name):

            def leave(path: str, why: str, name: str = each.name) -> None:
                self._leave("file of a volume", f"{name}:{path}", why)

            content = self._backend.volumes.open(each)
            files = await asyncio.to_thread(volume_files, content, leave)
            tables.append(write(VolumeForm(each.name, self.slug, files)))
        return tables

    def webhooks(self) -> list[Table]:
        """Its webhooks; the first one of each name."""
        tables: dict[str, Table] = {}
        for each in self._backend.webhooks.all(self._team):
            if each.name in tables:
                self._leave("webhook", each.name, "another one has the same name")
                continue
            table = self._named(each.name)
            table |= {"url": each.url, "events": [str(event) for event in each.events]}
            table["secret"] = self._secret(each.secret, "webhook", each.name)
            if not each.enabled:
                table["enabled"] = False
            tables[each.name] = table
        return [tables[name] for name in sorted(tables)]

    def note_snapshots(self) -> None:
        """Say that these stay behind."""
        for each in self._backend.templates.snapshots(self._team):
            name = each.names[0] if each.names else each.template_id
            self._leave("snapshot", name, _LAYER)

    async def sandboxes(self, builds: _Builds) -> list[Table]:
        """Its sandboxes, the oldest first."""
        tables = []
        for record in self._backend.sandboxes.records():
            sandbox = record.sandbox
            if sandbox.team_id != self._team.team_id or SHOWN_AS[sandbox.state] is None:
                continue
            name = name_of(sandbox)
            template = builds.name_for(self._team, sandbox)
            if template is None:
                self._leave("sandbox", name, "what it was made from is not exported")
                continue
            envd = None if record.machine is None else cast(Envd, record.machine.envd)
            tables.append(await self._sandbox(sandbox, name, template, envd))
        return tables

    async def _sandbox(
        self, sandbox: Sandbox, name: str, template: str, envd: Envd | None
    ) -> Table:
        metadata = {**(sandbox.metadata or {})}
        metadata.pop(SEED_NAME, None)
        form = SandboxForm(
            name,
            self.slug,
            template,
            timeout=sandbox.created_timeout_s,
            metadata=metadata,
            envs=dict(sandbox.env_vars),
            volume_mounts={each["path"]: each["name"] for each in sandbox.volume_mounts},
            files=await self._home(sandbox, name, envd) if self._wanted.files else {},
            start=self._started(sandbox, name, envd),
            paused=SHOWN_AS[sandbox.state] is State.PAUSED,
            secure=sandbox.secure,
            allow_internet_access=sandbox.allow_internet_access,
            network=self._network(sandbox, name),
            iam_tokens=dict(sandbox.iam_tokens),
            on_timeout="pause" if sandbox.on_timeout is OnTimeout.PAUSE else "kill",
            auto_pause_memory=sandbox.auto_pause_memory,
            auto_resume=sandbox.auto_resume,
        )
        return write(form)

    def _network(self, sandbox: Sandbox, name: str) -> Table | None:
        network = sandbox.network
        proxy = None if network is None else network.get("egressProxy")
        if network is None or proxy is None or "password" not in proxy:
            return network
        password = self._secret(proxy["password"], "sandbox", name, "egress_proxy")
        return {**network, "egressProxy": {**proxy, "password": password}}

    def _started(self, sandbox: Sandbox, name: str, envd: Envd | None) -> tuple[str, ...]:
        if envd is None:
            return ()
        found = []
        start = None if sandbox.setup.start is None else sandbox.setup.start.command
        for each in envd.processes.running():
            config = each.config or {}
            cmd, args = config.get("cmd"), list(config.get("args", ()))
            text = args[-1] if args else ""
            if text == start:
                start = None  # it will start by itself
            elif (cmd, tuple(args)) != shell_command(text) or each.process.is_pty:
                why = "it is no command of a shell without a terminal"
                self._leave("program", f"{name}: {' '.join(map(str, (cmd, *args)))}", why)
            elif config.get("envs") or config.get("cwd"):
                why = "it has variables or a folder of its own"
                self._leave("program", f"{name}: {text}", why)
            else:
                found.append(text)
        return tuple(found)  # as the form has it: else an empty one would be written

    async def _home(self, sandbox: Sandbox, name: str, envd: Envd | None) -> Table:
        if envd is None:
            self._leave("files of a sandbox", name, "it is paused without memory: resume it first")
            return {}

        def leave(path: str, why: str) -> None:
            self._leave("file of a sandbox", f"{name}:{path}", why)

        mounts = [each.path for each in sandbox.mounts]
        return await asyncio.to_thread(home_files, envd.guest.files, mounts, leave)


class _Builds:
    """The templates of all teams, as far as a seed can describe them."""

    def __init__(self, backend: ControlBackend, left: list[Table]) -> None:
        self._templates = backend.templates
        self._left = left
        self._names: dict[str, tuple[Template, str]] = {}
        """Build ID to template and tag, for those that are exported or the platform's."""
        for each in backend.templates.defaults():
            for tag, build in each.builds.items():
                self._names[build.build_id] = each, tag

    def of(self, teams: Iterable[tuple[Team, str | None]]) -> list[Table]:
        """The teams' templates, each after the one that it starts from, whosever that is."""
        waiting = []
        for team, slug in teams:
            named = [
                (f"{each.alias}:{tag}", slug, each, tag, build)
                for each in self._templates.owned_by(team)
                for tag, build in each.builds.items()
            ]
            waiting += sorted(named, key=lambda each: each[0])
        tables: list[Table] = []
        while ready := [each for each in waiting if self._is_known(each[-1])]:
            for each in ready:
                name, slug, template, tag, build = each
                waiting.remove(each)
                try:
                    tables.append(_template(template, tag, build, slug))
                    self._names[build.build_id] = template, tag
                except OSError as error:
                    why = f"its file {error.filename} cannot be read: {error.strerror}"
                    self._left.append(_left_out("template", name, slug, why))
        for name, slug, _, _, build in waiting:
            if build.recipe is not None:
                why = "what it starts from is not exported"
            elif build.source_id is not None:
                why = f"it is a snapshot: {_LAYER}"
            else:
                why = f"it was built by steps: {_LAYER}"
            self._left.append(_left_out("template", name, slug, why))
        return tables

    def _is_known(self, build: Build) -> bool:
        """Whether it can be described, and what it starts from is described already."""
        if build.recipe is None:
            return False
        return build.base is not None and build.base.build_id in self._names

    def name_for(self, team: Team, sandbox: Sandbox) -> str | None:
        """What a sandbox of the team is to be made from; None for what no seed has."""
        found = self._names.get(sandbox.build_id)
        if found is None:
            return None
        template, tag = found
        is_foreign = template.namespace not in (None, team.slug)
        name = f"{template.namespace}/{template.alias}" if is_foreign else template.alias
        return name if tag == DEFAULT_TAG else f"{name}:{tag}"


def _template(template: Template, tag: str, build: Build, slug: str | None) -> Table:
    recipe, setup = build.recipe, build.setup
    assert recipe is not None
    assert build.base is not None
    base = build.base.setup
    files: dict[str, Any] = {}
    for item in recipe.items:
        if not (isinstance(item, Folder) and item.path == setup.workdir):
            files[item.path] = shown(_file(item, setup.user))
    form = TemplateForm(
        template.alias if tag == DEFAULT_TAG else f"{template.alias}:{tag}",
        slug,
        recipe.base,
        files=files,
        env={
            name: value
            for name, value in setup.env_vars.items()
            if base.env_vars.get(name) != value
        },
        user=None if setup.user == base.user else setup.user,
        workdir=None if setup.workdir == base.workdir else setup.workdir,
        **_start(build, base_start=base.start),
        cpu_count=build.cpu_count,
        memory_mb=build.memory_mb,
        disk_size_mb=build.disk_size_mb,
        memory_limit_mb=template.limits.memory_mb,
        disk_limit_mb=template.limits.disk_mb,
        public=template.public,
    )
    return write(form)


def _start(build: Build, base_start: object) -> Table:
    start = build.setup.start
    if start is None or start is base_start:
        return {}
    return {
        "start_command": start.command,
        "ready_command": start.ready_command,
        "ready_timeout_s": start.ready_timeout_s,
    }


def _file(item: Item, user: str) -> FileForm:
    owner = None if item.owner == user else item.owner
    if isinstance(item, Link):
        return FileForm(link=item.target, owner=owner)
    if isinstance(item, Folder):
        return FileForm(folder=True, mode=octal(item.mode, 0o755), owner=owner)
    assert isinstance(item, File)
    content = item.content if isinstance(item.content, bytes) else Path(item.content).read_bytes()
    return content_form(content, mode=octal(item.mode, 0o644), owner=owner)


def _left_out(what: str, name: str, slug: str | None, why: str) -> Table:
    named = {"what": what, "name": name}
    return {**named, "why": why} if slug is None else {**named, "team": slug, "why": why}
