"""A real Caddy in front of a fake, on a free port, with nothing of this machine's own."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from fake_e2b import FakeE2B
from tests.helpers.waiting import wait_until

DOCS = Path(__file__).parents[2] / "docs" / "custom-domain.md"
DOMAIN = "mydomain.test"
_TRIES = 3


@dataclass(frozen=True)
class Front:
    """Caddy, and how a client gets to it: its names resolve nowhere.

    Attributes:
        trusting: Knows Caddy's own authority.
    """

    port: int
    trusting: ssl.SSLContext

    def name(self, sandbox_id: str, port: int) -> str:
        """The host name of a sandbox's port."""
        return f"{port}-{sandbox_id}.{DOMAIN}"

    def connect(self) -> socket.socket:
        """A connection to it, TLS not begun."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def client(self, name: str, **headers: str) -> httpx.Client:
        """For requests to that host."""
        return httpx.Client(
            base_url=f"https://127.0.0.1:{self.port}",
            headers={"Host": f"{name}:{self.port}", **headers},
            verify=self.trusting,
            timeout=30,
            trust_env=False,
            event_hooks={"request": [lambda request: _show_name(request, name)]},
        )


def _show_name(request: httpx.Request, name: str) -> None:
    request.extensions["sni_hostname"] = name


def caddyfile(port: int, fake: FakeE2B) -> str:
    """The one that the docs show, with this run's ports; without TLS, without its transport."""
    found = re.search(r"```caddyfile\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found, "the docs show no Caddyfile"
    text = (
        found[1]
        if fake.ca_file
        else re.sub(r" *transport http \{.*?\n {8}\}\n", "", found[1], flags=re.DOTALL)
    )
    return text.replace(":8443", f":{port}").replace(":3000", f":{fake.port}")


@contextmanager
def caddy(folder: Path, fake: FakeE2B) -> Iterator[Front]:
    """Caddy, until the block ends; skips where there is none."""
    if (program := shutil.which("caddy")) is None:
        pytest.skip("caddy is not installed (Debian's package caddy)")
    for _ in range(_TRIES):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        (folder / "Caddyfile").write_text(caddyfile(port, fake))
        log = (folder / "log").open("wb")
        process = subprocess.Popen(
            [program, "run", "--config", "Caddyfile", "--adapter", "caddyfile"],
            cwd=folder,
            env={
                "HOME": str(folder),
                "XDG_DATA_HOME": str(folder),
                "XDG_CONFIG_HOME": str(folder),
                "FAKE_CA": fake.ca_file or "",
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        log.close()
        try:
            authority = folder / "caddy/pki/authorities/local/root.crt"
            wait_until(partial(_is_up, process, port, authority))
            if process.poll() is None:
                yield Front(port, ssl.create_default_context(cafile=str(authority)))
                return
        finally:
            process.terminate()
            process.wait()
    pytest.fail((folder / "log").read_text())


def _is_up(process: subprocess.Popen[bytes], port: int, authority: Path) -> bool:
    """Whether it serves; or has ended, as it does when another took the port."""
    if process.poll() is not None:
        return True
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return authority.exists()
