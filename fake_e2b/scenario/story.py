"""A scenario as values: what the loader makes and the player plays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fake_e2b.domain.forms import about
from fake_e2b.testing.templates import SandboxTemplate

Table = dict[str, Any]
"""A TOML table."""

SdkName = Literal["python", "python-async", "js"]
SDKS: tuple[SdkName, ...] = ("python", "python-async", "js")


@dataclass(frozen=True)
class Raises:
    """The exception that a step must end with.

    Attributes:
        python: Its class, or a base of it.
        js: The same in JavaScript; left out, Python's name with Error for Exception.
        text: A part of what it says.
    """

    python: str
    js: str | None = None
    text: str | None = None

    def class_for(self, sdk: SdkName) -> str:
        """The name in the language of an SDK."""
        if sdk != "js":
            return self.python
        return self.js or self.python.removesuffix("Exception") + "Error"


@dataclass(frozen=True)
class StartSandbox:
    """Sandboxes that are there before the first step.

    Attributes:
        name: What steps call it; with a `count`, name-1, name-2 and so on.
    """

    name: str = field(metadata=about("what steps call it; with a count name-1, name-2 and so on"))
    template: str = field(default="base", metadata=about("template's name or ID"))
    timeout: int = field(default=300, metadata=about("seconds it may live"))
    metadata: Mapping[str, str] = field(default_factory=dict, metadata=about("its metadata"))
    count: int | None = field(default=None, metadata=about("so many, not one"))

    @property
    def names(self) -> tuple[str, ...]:
        """What steps call each."""
        if self.count is None:
            return (self.name,)
        return tuple(f"{self.name}-{number}" for number in range(1, self.count + 1))


@dataclass(frozen=True)
class Start:
    """The state that a story begins in."""

    clock: Literal["real", "manual"] = field(
        default="real", metadata=about("manual stands still until a step moves it")
    )
    runtime: Literal["auto", "local", "isolated"] = field(
        default="auto", metadata=about("what sandboxes run in")
    )
    profile: str | None = field(default=None, metadata=about("a profile of faults"))


@dataclass(frozen=True, slots=True)
class Step:
    """One step as written.

    Attributes:
        line: Where it begins in its file, from 1.
        arguments: What it takes; words for every step (`do`, `expect`, …) are left out, names of
            things that can be left out are filled in.
        expect: What the result must show.
        raises: What it must end with; None when it must succeed.
        keep: Values to remember: what is shown → the name for it.
        background: The name by which a later `wait` asks for it; None plays it to its end.
    """

    line: int
    do: str
    arguments: Table
    expect: Table = field(default_factory=dict)
    raises: Raises | None = None
    keep: Mapping[str, str] = field(default_factory=dict)
    background: str | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A story.

    Attributes:
        name: The file's name without its ending.
        seed: For the fake's identifiers, so that the story can be replayed.
        facts: IDs of the facts that it leans on.
        path: As it was given, for errors.
    """

    name: str
    title: str
    about: str
    seed: int
    facts: tuple[str, ...]
    steps: tuple[Step, ...]
    path: str
    start: Start = field(default_factory=Start)
    sandboxes: tuple[StartSandbox, ...] = ()
    templates: tuple[SandboxTemplate, ...] = ()
