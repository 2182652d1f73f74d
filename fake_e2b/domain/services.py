"""Packages that bring a service which the machine's own programs can give. Pure.

Installed, such a package makes what the service needs, and starts it with each boot; where nothing
can be installed, the machine's own program does for it.

Fact: templates.build.services
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Service:
    """What a package's own scripts do; all of it as root.

    Attributes:
        program: That the machine must have.
        install: A shell's text, once, when the package is installed.
        start: A shell's text, in each sandbox, which ends when the service runs.
    """

    program: str
    install: str
    start: str


_SSH = "/usr/sbin/sshd"
SERVICES: Mapping[str, Service] = {
    "openssh-server": Service(
        program=_SSH,
        install="/usr/bin/ssh-keygen -A",
        start=f"mkdir -p /run/sshd && exec {_SSH}",
    ),
}
"""By the package's name."""

_INSTALLERS = frozenset({"apt", "apt-get"})


def services_of(argv: Sequence[str]) -> list[str]:
    """The names of those that a command would install."""
    if argv[0] not in _INSTALLERS or "install" not in argv:
        return []
    named = (each.partition("=")[0] for each in argv[argv.index("install") + 1 :])
    return [name for name in named if name in SERVICES]
