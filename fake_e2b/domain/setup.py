"""How the sandboxes of a template are set up, beside their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Start:
    """What runs in each of a template's sandboxes from the start.

    It keeps the user, folder and variables of the template that named it, whichever ones a
    template derived from that one has.

    Attributes:
        command: A shell's text, ``""`` for none.
        ready_command: The sandbox is ready once this succeeds; ``""``: at once.
        ready_timeout_s: How long that may take.

    Fact: template.start
    """

    command: str = ""
    ready_command: str = ""
    ready_timeout_s: float = 50.0
    user: str = "user"
    workdir: str | None = None
    env_vars: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Setup:
    """What a template's sandboxes start with, beside their files.

    Attributes:
        interpreter: They answer on the code interpreter's port.
        user: Whom commands and files are of when a request names nobody.
        workdir: Where commands start; None: the user's home.
        env_vars: For the start and the ready command alone, and templates derived from this one.
        services: Names in `services.SERVICES` that run before the start command.
        desktop: The desktop SDK's programs find what they look for.

    Fact: template.setup.defaults
    """

    interpreter: bool = False
    user: str = "user"
    workdir: str | None = None
    env_vars: Mapping[str, str] = field(default_factory=dict)
    start: Start | None = None
    services: tuple[str, ...] = ()
    desktop: bool = False


PLAIN = Setup()
