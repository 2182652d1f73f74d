"""What a seed says, form by form: the keys of its tables, see `fake_e2b.domain.forms`.

`team` is a slug everywhere; left out it means the fake's own team.

Fact: fake.seed.forms
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import about
from fake_e2b.domain.recipe import Definition
from fake_e2b.domain.team import is_access_token, is_api_key

_SLUG = re.compile(r"[a-z0-9-_]+")
_MODE = re.compile(r"[0-7]{3,4}")
SEED_NAME = "seedName"
"""The metadata that says which table of a seed a sandbox was made from. Fact: fake.seed.names"""


class SeedError(UsageError):
    """A seed that no fake can be filled with.

    Attributes:
        section: The table that is wrong, such as ``"volume"``; None for the seed as a whole.
        index: Which one of these, from 0.
    """

    def __init__(self, message: str, section: str | None = None, index: int = 0) -> None:
        super().__init__(message)
        self.section = section
        self.index = index


@dataclass(frozen=True)
class FileForm:
    """A file, folder or link; a plain text stands for one with this `text`."""

    text: str | None = field(default=None, metadata=about("the content"))
    base64: str | None = field(default=None, metadata=about("the content, if it is no text"))
    link: str | None = field(default=None, metadata=about("where a symbolic link leads"))
    folder: bool = field(default=False, metadata=about("a folder, which may stay empty"))
    mode: str | None = field(default=None, metadata=about("in octal digits, such as 755"))
    owner: str | None = field(default=None, metadata=about("user or root, but for volumes"))
    uid: int | None = field(default=None, metadata=about("the owner, in a volume"))
    gid: int | None = field(default=None, metadata=about("the group, in a volume"))

    def __post_init__(self) -> None:
        kinds = (self.text, self.base64, self.link, self.folder or None)
        if sum(each is not None for each in kinds) != 1:
            raise UsageError("a file has one of text, base64, link, source and folder = true")
        if self.mode is not None and not _MODE.fullmatch(self.mode):
            raise UsageError(f"mode {self.mode!r}: give octal digits, such as '755'")
        if self.base64 is not None:
            try:
                base64.b64decode(self.base64, validate=True)
            except (binascii.Error, ValueError) as error:
                raise UsageError(f"its base64 cannot be read: {error}") from error

    @property
    def content(self) -> bytes:
        """What is in a file."""
        return base64.b64decode(self.base64 or "") if self.text is None else self.text.encode()

    def mode_or(self, default: int) -> int:
        """The permission bits."""
        return default if self.mode is None else int(self.mode, 8)


@dataclass(frozen=True)
class KeyForm:
    """An API key; a plain text stands for one with the name ``Default``."""

    key: str
    name: str = "Default"

    def __post_init__(self) -> None:
        if not is_api_key(self.key):
            raise UsageError(f"an API key is e2b_ and an even number of hex digits, not {self.key}")


@dataclass(frozen=True)
class TokenForm:
    """A personal access token; a plain text stands for one with the name ``Default``."""

    token: str
    name: str = "Default"

    def __post_init__(self) -> None:
        if not is_access_token(self.token):
            raise UsageError(
                f"an access token is sk_e2b_ and an even number of hex digits, not {self.token}"
            )


@dataclass(frozen=True)
class TeamForm:
    """A team with its keys."""

    slug: str = field(metadata=about("its namespace in template names; fake is the fake's own"))
    api_keys: Sequence[Any] = field(default=(), metadata=about("texts, or tables of key and name"))
    max_length_hours: int | None = field(
        default=None, metadata=about("how long one run of a sandbox may last")
    )
    concurrent_sandboxes: int | None = field(
        default=None, metadata=about("how many may run at once")
    )

    def __post_init__(self) -> None:
        if not _SLUG.fullmatch(self.slug):
            raise UsageError(f"slug {self.slug!r}: lower-case letters, digits, - and _")
        for what, number in (
            ("max_length_hours", self.max_length_hours),
            ("concurrent_sandboxes", self.concurrent_sandboxes),
        ):
            if number is not None and number < 1:
                raise UsageError(f"{what} {number}: give at least 1")


@dataclass(frozen=True)
class TemplateForm:
    """A template; the fields are those of `fake_e2b.SandboxTemplate`."""

    name: str = field(metadata=about("alias[:tag]"))
    team: str | None = None
    from_template: str = "base"
    files: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    workdir: str | None = None
    start_command: str = ""
    ready_command: str = ""
    ready_timeout_s: float = 50.0
    cpu_count: int = 2
    memory_mb: int = 1024
    disk_size_mb: int = 1024
    memory_limit_mb: int | None = None
    disk_limit_mb: int | None = None
    public: bool = field(default=False, metadata=about("other teams may start from it"))


@dataclass(frozen=True)
class VolumeForm:
    """A volume and what is in it."""

    name: str
    team: str | None = None
    files: Mapping[str, Any] = field(
        default_factory=dict, metadata=about("path in the volume to a text or a file")
    )


@dataclass(frozen=True)
class SecretForm:
    """A secret at its newest version."""

    name: str
    team: str | None = None
    value: str | None = None
    versions: Sequence[str] = field(
        default=(), metadata=about("every value it had, the oldest first, in place of value")
    )
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.value is None) == (not self.versions):
            raise UsageError("a secret has a value, or a list of versions")
        if not all(self.values):
            raise UsageError("a secret's value is not empty")

    @property
    def values(self) -> Sequence[str]:
        """Every version's value, the oldest first."""
        return self.versions if self.value is None else (self.value,)


@dataclass(frozen=True)
class WebhookForm:
    """A webhook; here names tell webhooks of a team apart."""

    name: str
    url: str
    events: Sequence[str]
    secret: str = field(metadata=about("what deliveries are signed with"))
    team: str | None = None
    enabled: bool = True


@dataclass(frozen=True)
class SandboxForm:
    """A sandbox, running or paused."""

    name: str = field(metadata=about(f"kept as its metadata {SEED_NAME}, by which it is found"))
    team: str | None = None
    template: str = "base"
    timeout: int = field(default=300, metadata=about("seconds from when it is made"))
    metadata: Mapping[str, str] = field(default_factory=dict)
    envs: Mapping[str, str] = field(default_factory=dict)
    volume_mounts: Mapping[str, str] = field(
        default_factory=dict, metadata=about("path in the sandbox to a volume's name")
    )
    files: Mapping[str, Any] = field(
        default_factory=dict, metadata=about("path, relative to the user's home, to text or file")
    )
    user: str | None = field(default=None, metadata=about("whose files and commands these are"))
    run: Sequence[str] = field(default=(), metadata=about("shell commands, each must succeed"))
    start: Sequence[str] = field(default=(), metadata=about("shell commands that go on"))
    paused: bool = False
    secure: bool = True
    allow_internet_access: bool | None = None
    network: Mapping[str, Any] | None = field(default=None, metadata=about("in the API's own form"))
    iam_tokens: Mapping[str, Any] = field(
        default_factory=dict, metadata=about("name to a table of audience and tokenType")
    )
    on_timeout: Literal["kill", "pause"] = "kill"
    auto_pause_memory: bool = True
    auto_resume: bool = False

    def __post_init__(self) -> None:
        if SEED_NAME in self.metadata:
            raise UsageError(f"metadata {SEED_NAME} is the sandbox's name here: leave it out")


@dataclass(frozen=True)
class SnapshotForm:
    """A snapshot of a sandbox, once its commands have run."""

    name: str = field(metadata=about("alias[:tag]"))
    sandbox: str = field(metadata=about("the name of a sandbox of this seed, or one that is there"))
    team: str | None = None


Form = TeamForm | TemplateForm | VolumeForm | SecretForm | WebhookForm | SandboxForm | SnapshotForm
SECTIONS: Mapping[str, type[Form]] = {
    "team": TeamForm,
    "secret": SecretForm,
    "volume": VolumeForm,
    "template": TemplateForm,
    "sandbox": SandboxForm,
    "snapshot": SnapshotForm,
    "webhook": WebhookForm,
}
"""In the order in which they are made: webhooks last, so that nobody is told of the filling."""
NOT_EXPORTED = "not_exported"
"""The list of what an export had to leave out; whoever reads a seed passes over it."""


@dataclass(frozen=True, slots=True)
class Filed:
    """One table of a seed.

    Attributes:
        index: Which of its section, from 0.
        form: What it says.
        files: The files of a template, volume or sandbox.
        keys: The keys of a team.
        definition: What a template is to be.
    """

    section: str
    index: int
    form: Form
    files: Mapping[str, FileForm] = field(default_factory=dict)
    keys: Sequence[KeyForm] = ()
    definition: Definition | None = None

    @property
    def name(self) -> str:
        """What tells it from others of its section and team."""
        return self.form.slug if isinstance(self.form, TeamForm) else self.form.name

    @property
    def team(self) -> str | None:
        """Whose it is; None for the fake's own team's, and for a team itself."""
        return None if isinstance(self.form, TeamForm) else self.form.team


@dataclass(frozen=True, slots=True)
class Seed:
    """All of it, section after section in the order of `SECTIONS`."""

    tables: Sequence[Filed] = ()
    access_tokens: Sequence[TokenForm] = ()
