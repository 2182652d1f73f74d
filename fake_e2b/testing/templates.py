"""Templates that a test or a command defines, until they are built through the API."""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.recipe import Definition, File, Folder, Item, Link, Recipe
from fake_e2b.domain.template import BadReferenceError, parse_reference
from fake_e2b.domain.user import BUILT_IN_USERS

_NOT_ON_DISK = ("proc", "sys", "dev")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SMALLEST_MEMORY_MB = 128


@dataclass(frozen=True)
class TemplateFile:
    """A file or folder of a template, with more said about it than its content.

    Args:
        content: Text, bytes, or the path of a file or folder on this machine.
        mode: Of the file, or of each file of the folder; None: that of the file on this machine,
            ``0o644`` for a text.
        owner: ``"user"`` or ``"root"``; None: the template's user.
    """

    content: str | bytes | Path
    mode: int | None = None
    owner: str | None = None


@dataclass(frozen=True)
class SandboxTemplate:
    """What `Sandbox.create(name)` starts from.

    Made on first use, once; every sandbox shares its files copy-on-write. What is wrong with it is
    said when it is defined.

    ```python
    FakeE2B(templates=[SandboxTemplate("web", files={"index.html": "hi"}, start_command="...")])
    ```

    Args:
        name: ``alias[:tag]``.
        from_template: Whose files, user, folder, variables and start it takes over.
        files: Path in the sandbox (a relative one: in `workdir`) to text, bytes, the `Path` of a
            file or folder on this machine, or a `TemplateFile`.
        env: Variables of the start and the ready command, as the service has it; those of
            commands come with `Sandbox.create(envs=...)`.
        user: Whom commands and files are of when nobody is named; ``"user"`` or ``"root"``.
        workdir: Where commands start; absolute, made if it is missing.
        start_command: A shell's text that runs in every sandbox from the start.
        ready_command: `create` answers once this succeeds; it is tried again and again.
        ready_timeout_s: After so long `create` fails; stay below the client's own time-out.
        cpu_count: What the API says of the sandboxes, as the sizes.
        memory_limit_mb: What a sandbox may really use; None is no limit.
        disk_limit_mb: The same for its files.

    Raises:
        UsageError: Something of it cannot be; the text says what.
    """

    name: str
    _: KW_ONLY
    from_template: str = "base"
    files: Mapping[str, str | bytes | Path | TemplateFile] = field(default_factory=dict)
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

    def __post_init__(self) -> None:
        self.definition()

    def definition(self) -> Definition:
        """What the backend is given.

        Raises:
            UsageError: See the class.
        """
        self._check()
        items: list[Item] = []
        if self.workdir is not None:
            items.append(Folder(posixpath.normpath(self.workdir), ""))
        for path, value in self.files.items():
            target = self._path(path)
            file = value if isinstance(value, TemplateFile) else TemplateFile(value)
            items += self._items(target, file, file.owner or "", into=path.endswith("/"))
        return Definition(
            name=self.name,
            recipe=Recipe(self.from_template, tuple(items)),
            user=self.user,
            workdir=None if self.workdir is None else posixpath.normpath(self.workdir),
            env_vars=tuple(self.env.items()),
            start_command=self.start_command,
            ready_command=self.ready_command,
            ready_timeout_s=self.ready_timeout_s,
            cpu_count=self.cpu_count,
            memory_mb=self.memory_mb,
            disk_size_mb=self.disk_size_mb,
            memory_limit_mb=self.memory_limit_mb,
            disk_limit_mb=self.disk_limit_mb,
        )

    def _check(self) -> None:
        for what, text in (("name", self.name), ("from_template", self.from_template)):
            try:
                reference = parse_reference(text)
            except BadReferenceError as error:
                raise self._wrong(f"{what} {text!r}: {error.args[0]}") from error
            if what == "name" and reference.namespace is not None:
                raise self._wrong(f"name {text!r}: it has no namespace, the team's is put in front")
        self._check_user(self.user)
        if self.workdir is not None:
            if not self.workdir.startswith("/"):
                raise self._wrong(f"workdir {self.workdir!r} is not absolute")
            self._path(self.workdir)
        for name, value in self.env.items():
            if not _VARIABLE.fullmatch(name) or "\0" in value:
                raise self._wrong(f"env {name!r}: no variable can have that name or value")
        if "\0" in self.start_command + self.ready_command:
            raise self._wrong("a command holds a NUL")
        if not self.ready_timeout_s > 0:
            raise self._wrong(f"ready_timeout_s {self.ready_timeout_s!r}: give more than 0")
        for what, number, least in (
            ("cpu_count", self.cpu_count, 1),
            ("memory_mb", self.memory_mb, _SMALLEST_MEMORY_MB),
            ("disk_size_mb", self.disk_size_mb, 0),
            ("memory_limit_mb", self.memory_limit_mb, 1),
            ("disk_limit_mb", self.disk_limit_mb, 1),
        ):
            if number is not None and number < least:
                raise self._wrong(f"{what} {number!r}: give at least {least}")

    def _check_user(self, name: str | None) -> None:
        if name is not None and name not in BUILT_IN_USERS:
            known = " and ".join(sorted(BUILT_IN_USERS))
            raise self._wrong(f"there is no user {name!r} in a sandbox, only {known}")

    def _path(self, path: str) -> str:
        parts = path.split("/")
        if ".." in parts or "\0" in path or not path.strip("/."):
            raise self._wrong(f"path {path!r}: give a file's path, without '..'")
        clean = posixpath.normpath(re.sub("^/+", "/", path))
        if clean.startswith("/") and clean.split("/")[1] in _NOT_ON_DISK:
            raise self._wrong(f"path {path!r} is the machine's own, no file can be there")
        return clean

    def _items(self, path: str, file: TemplateFile, owner: str, *, into: bool) -> Iterator[Item]:
        self._check_user(file.owner)
        if file.mode is not None and not 0 <= file.mode <= 0o7777:
            raise self._wrong(f"{path}: {file.mode!r} is no mode")
        if isinstance(file.content, Path):
            yield from self._local(path, file.content, file.mode, owner, into=into)
            return
        content = file.content.encode() if isinstance(file.content, str) else file.content
        if into or not isinstance(content, bytes):
            raise self._wrong(f"{path}: give text, bytes or a Path, for a file's path")
        yield File(path, owner, content, 0o644 if file.mode is None else file.mode)

    def _local(
        self, path: str, local: Path, mode: int | None, owner: str, *, into: bool
    ) -> Iterator[Item]:
        try:
            found = local.stat()
            if stat.S_ISDIR(found.st_mode):
                yield Folder(path, owner, stat.S_IMODE(found.st_mode))
                yield from self._tree(path, local, mode, owner)
                return
            with local.open("rb"):
                pass
        except OSError as error:
            raise self._wrong(f"{path}: {local} cannot be read: {error.strerror}") from error
        if not stat.S_ISREG(found.st_mode):
            raise self._wrong(f"{path}: {local} is neither a file nor a folder")
        target = f"{path}/{local.name}" if into else path
        permissions = stat.S_IMODE(found.st_mode) if mode is None else mode
        yield File(target, owner, str(local.resolve()), permissions)

    def _tree(self, path: str, local: Path, mode: int | None, owner: str) -> Iterator[Item]:
        for entry in sorted(local.iterdir()):
            inside = f"{path}/{entry.name}"
            if entry.is_symlink():
                yield Link(inside, owner, os.readlink(entry))
            elif entry.is_dir() or entry.is_file():
                yield from self._local(inside, entry, mode, owner, into=False)

    def _wrong(self, what: str) -> UsageError:
        return UsageError(f"template {self.name!r}: {what}")
