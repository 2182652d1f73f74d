"""How the sandboxes of a template are set up, beside their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Setup:
    """What a template's sandboxes start with, beside their files.

    Attributes:
        interpreter: They answer on the code interpreter's port.
        user: Whom commands and files are of when a request names nobody.
        workdir: Where commands start; None: the user's home.
        env_vars: For the start and the ready command alone.
        start_command: A shell's text, ``""`` for none; runs as `user` in `workdir`.
        ready_command: A sandbox is ready once this succeeds; ``""``: at once.
        ready_timeout_s: How long that may take.
    """

    interpreter: bool = False
    user: str = "user"
    workdir: str | None = None
    env_vars: Mapping[str, str] = field(default_factory=dict)
    start_command: str = ""
    ready_command: str = ""
    ready_timeout_s: float = 50.0


PLAIN = Setup()
