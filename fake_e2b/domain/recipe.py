"""How a template's files are made: from another template's, with files of its own on top."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that is there afterwards; one that was keeps its mode and owner."""

    path: str
    owner: str
    mode: int = 0o755


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link, in place of a file or link of that name."""

    path: str
    owner: str
    target: str


@dataclass(frozen=True, slots=True)
class File:
    """A file; one that was is overwritten and keeps its mode.

    Attributes:
        content: Its bytes, or the path of a file on this machine that has them.
    """

    path: str
    owner: str
    content: bytes | str
    mode: int = 0o644


Item = Folder | Link | File


@dataclass(frozen=True, slots=True)
class Recipe:
    """What makes a template's layer.

    Attributes:
        base: The template it starts from, as a create request would name it.
        items: In the order in which they are made. Relative paths start in the template's
            folder, an empty owner is its user; parents are made with the owner of what needs
            them.
    """

    base: str
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Definition:
    """A template as its user describes it; None and empty values are the base's.

    Attributes:
        name: ``alias[:tag]``.
        start_command: See `fake_e2b.domain.setup.Start`.
        cpu_count: What the API says of its sandboxes, as the sizes.
        memory_limit_mb: What they may really use.
    """

    name: str
    recipe: Recipe
    user: str | None = None
    workdir: str | None = None
    env_vars: tuple[tuple[str, str], ...] = ()
    start_command: str = ""
    ready_command: str = ""
    ready_timeout_s: float = 50.0
    cpu_count: int = 2
    memory_mb: int = 1024
    disk_size_mb: int = 1024
    memory_limit_mb: int | None = None
    disk_limit_mb: int | None = None
