"""What the code interpreter needs from a machine: kernels and what they say.

A kernel is one language's process with state that lives from cell to cell. It belongs to a guest
and runs one cell at a time; who may run next is decided by `fake_e2b.backend.interpreter`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from fake_e2b.domain.errors import FakeE2BError
from fake_e2b.domain.ports import Guest


@dataclass(frozen=True, slots=True)
class Accepted:
    """The kernel took the cell; `execution_count` is its number in this kernel, from 1."""

    execution_count: int


@dataclass(frozen=True, slots=True)
class Text:
    """Output of the cell, of its threads and of the processes it started, merged per stream."""

    stream: Literal["stdout", "stderr"]
    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A value that was displayed.

    Attributes:
        data: MIME type to content: text, base64 text for binary types, JSON values for others.
        is_main: Whether it is the cell's own value and not the effect of a display call.
    """

    data: Mapping[str, object]
    is_main: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """The exception that ended the cell; `traceback` is in the kernel's own lines."""

    name: str
    value: str
    traceback: tuple[str, ...]


KernelMessage = Accepted | Text | Shown | Failed


class KernelDiedError(FakeE2BError):
    """The kernel's process ended while a cell ran, or before it could take one."""


class KernelStartError(FakeE2BError):
    """A kernel could not be started on this machine; the text says why."""


class Run(Protocol):
    """One cell in progress."""

    async def read(self) -> Sequence[KernelMessage]:
        """What has arrived since the last call, at least one message; empty after the last.

        Raises:
            KernelDiedError: The kernel ended, and all that it said before has been read.
        """
        ...

    def abandon(self) -> None:
        """Interrupt the cell and drop what it still says; it goes on if it ignores that."""
        ...


class Kernel(Protocol):
    """A started kernel."""

    @property
    def alive(self) -> bool: ...

    def run(self, code: str, *, variables: Mapping[str, str], on_end: Callable[[], None]) -> Run:
        """Start a cell; none may be in progress.

        Args:
            variables: Set in the kernel's environment first; they stay until changed.
            on_end: Called once, when the cell is over or the kernel is dead.
        """
        ...

    def change_variables(self, changes: Mapping[str, str | None]) -> None:
        """Set (or, for None, remove) environment variables before the next cell."""
        ...

    async def pause(self) -> None:
        """Stop the kernel and everything it started; no CPU time passes until `resume`."""
        ...

    async def resume(self) -> None: ...

    async def close(self) -> None:
        """End the kernel and everything it started; twice is fine."""
        ...


class Kernels(Protocol):
    """Starts kernels."""

    def missing(self, language: str) -> str | None:
        """Why kernels of `language` cannot run on this machine; None when they can."""
        ...

    def warm(self) -> None:
        """Prepare kernels in the background; the call itself returns at once."""
        ...

    async def start_kernel(self, guest: Guest, *, language: str, cwd: str) -> Kernel:
        """A fresh kernel inside `guest`.

        Args:
            language: One for which `missing` gives None.
            cwd: A sandbox path; where it cannot be entered the kernel stays in `/home/user`.

        Raises:
            KernelStartError: The machine refused.
        """
        ...
