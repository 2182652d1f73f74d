"""What a template build is asked to do, and what it tells of itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

BASE_STEP = "base"
FINAL_STEP = "finalize"
INDEX_VERSION = "v2"
"""What the first layer's key starts with, as the service's does."""


class Level(IntEnum):
    """How weighty a log line is."""

    DEBUG = 0
    INFO = 1
    WARN = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction: `kind` as it was sent (``RUN``, ``COPY``, …).

    Attributes:
        force: Do it and all that follow anew, whatever is cached.
        files_hash: Names the archive of a COPY.
    """

    kind: str
    args: tuple[str, ...] = ()
    force: bool = False
    files_hash: str = ""

    @property
    def shown(self) -> str:
        """As the log shows it."""
        return " ".join([self.kind.upper(), *self.args]).rstrip()


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be built.

    Attributes:
        from_image: An image's name; the files are the machine's own, whichever it is.
        from_template: A reference to another template; exactly one of the two is given.
        force: Do everything anew.
        user_by_default: Whether sandboxes and steps start as ``user``, as for SDKs from 2.3 on.
        left_out: Instructions that were asked for and are not done; the log names them.
    """

    from_image: str = ""
    from_template: str = ""
    force: bool = False
    steps: tuple[Step, ...] = ()
    start_command: str = ""
    ready_command: str = ""
    user_by_default: bool = True
    left_out: tuple[str, ...] = ()

    @property
    def base(self) -> str:
        """What it starts from, as the log names it."""
        return f"TEMPLATE {self.from_template}" if self.from_template else self.from_image


def layer_keys(base_key: str, steps: Iterable[Step]) -> Iterator[str]:
    """The key of each step's layer: a chain of SHA-256 over what was sent.

    Fact: templates.build.cache
    """
    key = base_key
    for step in steps:
        text = "\n".join([key, step.kind, " ".join(step.args), step.files_hash])
        key = hashlib.sha256(text.encode()).hexdigest()
        yield key


def base_key(order: Order, base_build: str | None) -> str:
    """The key of what a build starts from: the image's name, or the build of the template."""
    source = f"template:{base_build}" if base_build is not None else order.from_image
    text = "\n".join([INDEX_VERSION, str(order.user_by_default), source])
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a build's log; `step` is ``base``, ``1`` …, ``finalize`` or None."""

    at_ns: int
    message: str
    level: Level = Level.INFO
    step: str | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a build failed."""

    message: str
    step: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """Whom the next step runs as, where, and with which variables.

    Attributes:
        workdir: Absolute; None: the user's home.
        services: Names in `services.SERVICES` that the steps have installed.
    """

    user: str = "root"
    workdir: str | None = None
    env_vars: Mapping[str, str] = field(default_factory=dict)
    services: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DockerfileRequest:
    """What a build of the first generation is asked for: known before it is started."""

    text: str
    start_command: str = ""
    ready_command: str = ""


class BuildFailedError(Exception):
    """A build that ends in `error`; `reason` says why."""

    def __init__(self, message: str, step: str | None) -> None:
        super().__init__(message)
        self.reason = Reason(message, step)
