"""One call of a stubbed program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from fake_e2b.domain.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Site:
    """Where programs are called, as far as stubs can tell places apart.

    Attributes:
        sandbox_id: None where it is no sandbox.
        templates: The ID and the names of its template.
    """

    sandbox_id: str | None
    metadata: Mapping[str, str]
    templates: frozenset[str]

    @classmethod
    def of(cls, sandbox: Sandbox) -> Site:
        """A sandbox."""
        names = frozenset({sandbox.template_id, sandbox.alias})
        return cls(sandbox.sandbox_id, sandbox.metadata or {}, names)


@dataclass(frozen=True, slots=True)
class Command:
    """A program as it was called; what predicates are given.

    Attributes:
        argv: Its name, without a folder, and its arguments.
        env: Its environment.
    """

    sandbox_id: str | None
    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StubCall:
    """A call that a stub answered, as it stands now.

    Attributes:
        argv: The program's name, without a folder, and its arguments.
        stdin: What a handler has read of it so far, up to 1 MiB.
        at_ns: When it came, by the fake's clock.
        exit_code: None while it runs, and if a signal ended it.
    """

    sandbox_id: str | None
    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str]
    stdin: bytes
    at_ns: int
    exit_code: int | None

    @property
    def at(self) -> datetime:
        """When it came, by the fake's clock."""
        return datetime.fromtimestamp(self.at_ns / 1e9, UTC)
