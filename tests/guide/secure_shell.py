"""OpenSSH's client on this machine, led to a sandbox through the fake."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from e2b import Sandbox

from fake_e2b import SandboxTemplate

START = (
    "sudo ssh-keygen -A && sudo mkdir -p /run/sshd && sudo /usr/sbin/sshd -E /tmp/sshd.log && "
    "sudo websocat -b --exit-on-eof ws-l:0.0.0.0:8081 tcp:127.0.0.1:22"
)
"""What the template's start command is, with what the distribution's service does on its own."""
TEMPLATE = SandboxTemplate(
    "ssh", start_command=START, ready_command="ss -ltn | grep -q :22 && ss -ltn | grep -q :8081"
)
STAND_IN = f"{shlex.quote(sys.executable)} -m fake_e2b.runtime.websocat"
DEADLINE_S = 60


@dataclass(frozen=True)
class SecureShell:
    """The client's programs, for one sandbox.

    Attributes:
        folder: For what they must remember.
        websocat: The command that leads to the sandbox.
        authority: The file with the certificate of the fake's authority, if it speaks TLS.
    """

    sandbox: Sandbox
    folder: Path
    websocat: str = STAND_IN
    authority: str | None = None

    @property
    def options(self) -> list[str]:
        """Nothing of this machine's own settings and keys; and how to get there."""
        scheme = "wss" if self.authority else "ws"
        host = self.sandbox.get_host(8081).replace(self.sandbox.sandbox_id, "%h")
        return [
            *("-F", "/dev/null", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"),
            *("-o", "IdentityAgent=none", "-o", f"IdentityFile={self.folder}/none"),
            *("-o", "StrictHostKeyChecking=accept-new"),
            *("-o", f"UserKnownHostsFile={self.folder}/known_hosts"),
            *("-o", f"ProxyCommand={self.websocat} --binary -B 65536 - {scheme}://{host}"),
        ]

    def at(self, user: str = "user") -> str:
        """`user@<sandbox-id>`."""
        return f"{user}@{self.sandbox.sandbox_id}"

    def words(self, *words: str, user: str = "user", options: tuple[str, ...] = ()) -> list[str]:
        """An `ssh` command line."""
        return ["ssh", *self.options, *options, self.at(user), *words]

    def run(
        self, *words: str, user: str = "user", options: tuple[str, ...] = (), data: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command in the sandbox."""
        return self.call(self.words(*words, user=user, options=options), data)

    def call(self, words: list[str], data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run one of the client's programs to its end."""
        trusting = {"SSL_CERT_FILE": self.authority} if self.authority else {}
        return subprocess.run(
            words,
            input=data,
            capture_output=True,
            timeout=DEADLINE_S,
            env={**os.environ, **trusting},
        )


def why_not() -> str | None:
    """Why this machine cannot play it, if it can't."""
    for program, package in (("sshd", "openssh-server"), ("ssh", "openssh-client")):
        if shutil.which(program, path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin") is None:
            return f"{program} is not installed (Debian's package {package})"
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        return f"ssh does not serve a user without a name (uid {os.getuid()})"
    return None
