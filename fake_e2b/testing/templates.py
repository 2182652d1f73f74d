"""Templates that a test or a command defines, until they are built through the API."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.recipe import Definition, File, Folder, Item, Link, Recipe
from fake_e2b.domain.recipe_check import check_definition, check_user, file_path, with_items


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
        bare = Definition(
            name=self.name,
            recipe=Recipe(self.from_template),
            user=self.user,
            workdir=self.workdir,
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
        items: list[Item] = []
        try:
            check_definition(bare)
            for path, value in self.files.items():
                file = value if isinstance(value, TemplateFile) else TemplateFile(value)
                items += self._items(
                    file_path(path), file, file.owner or "", into=path.endswith("/")
                )
        except UsageError as error:
            raise UsageError(f"template {self.name!r}: {error}") from error
        return with_items(bare, items)

    def _items(self, path: str, file: TemplateFile, owner: str, *, into: bool) -> Iterator[Item]:
        check_user(file.owner)
        if file.mode is not None and not 0 <= file.mode <= 0o7777:
            raise UsageError(f"{path}: {file.mode!r} is no mode")
        if isinstance(file.content, Path):
            yield from self._local(path, file.content, file.mode, owner, into=into)
            return
        content = file.content.encode() if isinstance(file.content, str) else file.content
        if into or not isinstance(content, bytes):
            raise UsageError(f"{path}: give text, bytes or a Path, for a file's path")
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
            raise UsageError(f"{path}: {local} cannot be read: {error.strerror}") from error
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"{path}: {local} is neither a file nor a folder")
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
