"""A daemon on real files behind a real socket, without the rest of the fake."""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fake_e2b.backend.envd import Envd
from fake_e2b.backend.machine import Machine
from fake_e2b.data_plane.envd.app import envd_app
from fake_e2b.data_plane.target import SCOPE_KEY, Target
from fake_e2b.domain.entry import DiskUsage
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.ports import ResourceUsage
from fake_e2b.domain.user import BUILT_IN_USERS, User
from fake_e2b.runtime.files import RootedFiles
from fake_e2b.runtime.ownership import RecordedOwnership
from fake_e2b.runtime.resolve import FOLDER
from fake_e2b.runtime.watch import WatchHub
from fake_e2b.server.host import ServerThread, listen
from tests.helpers.clock import ManualClock

NOW_S = 1_795_383_209


class FilesOnlyGuest:
    """Files and users; nothing runs here."""

    alive = True

    def __init__(self, files: RootedFiles) -> None:
        self.files = files

    def lookup_user(self, name: str) -> User | None:
        return BUILT_IN_USERS.get(name)

    async def usage(self) -> ResourceUsage:
        return ResourceUsage(2, 12.345, 8 << 30, 1 << 30, 1 << 20, DiskUsage(100, 40))


class Answer:
    """Status, headers and body of one response."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def text(self) -> str:
        return self.body.decode()


class Daemon:
    """Asks the daemon as a client does; `root` is where the sandbox's files are on the host."""

    def __init__(self, root: Path, port: int, envd: Envd, clock: ManualClock) -> None:
        self.root = root
        self.port = port
        self.envd = envd
        self.clock = clock

    def ask(
        self,
        method: str,
        target: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(
                method,
                target,
                body=body,
                headers={"Accept-Encoding": "identity", **(headers or {})},
            )
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(
        self, path: str | None, headers: Mapping[str, str] | None = None, more: str = ""
    ) -> Answer:
        query = "" if path is None else f"path={quote(path, safe='')}"
        return self.ask("GET", f"/files?{query}{more}", headers=headers)

    def put(
        self,
        path: str | None,
        body: bytes | Iterator[bytes],
        headers: Mapping[str, str] | None = None,
        more: str = "",
    ) -> Answer:
        query = "" if path is None else f"path={quote(path, safe='')}"
        raw = {"Content-Type": "application/octet-stream"}
        return self.ask("POST", f"/files?{query}{more}", body, {**raw, **(headers or {})})

    def form(
        self,
        parts: list[tuple[str, bytes]],
        path: str | None = None,
        headers: Mapping[str, str] | None = None,
        more: str = "",
    ) -> Answer:
        """Parts are (the Content-Disposition's parameters, the content)."""
        body = b"".join(
            f"--b0\r\nContent-Disposition: form-data; {parameters}\r\n\r\n".encode()
            + content
            + b"\r\n"
            for parameters, content in parts
        )
        query = "" if path is None else f"path={quote(path, safe='')}"
        return self.ask(
            "POST",
            f"/files?{query}{more}",
            body + b"--b0--\r\n",
            {"Content-Type": "multipart/form-data; boundary=b0", **(headers or {})},
        )

    def raw(self, data: bytes) -> socket.socket:
        """A connection on which `data` was sent, and nothing else."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        connection.sendall(data)
        return connection


@contextmanager
def running_app(app: Callable[..., Any]) -> Iterator[int]:
    """Serve an ASGI app on a free loopback port; its port."""
    server = ServerThread(app, nullcontext(), listen("127.0.0.1", 0))
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


@contextmanager
def running_daemon(root: Path, *, token: str | None = None) -> Iterator[Daemon]:
    """A daemon whose sandbox is the folder `root`."""
    for name in ("home/user", "root", "tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    clock = ManualClock(NOW_S * 1_000_000_000)
    files = RootedFiles(os.open(root, FOLDER), ownership=RecordedOwnership(), watches=WatchHub())
    guest: Any = FilesOnlyGuest(files)
    envd = Envd(
        guest,
        clock,
        IdSource(1),
        sandbox_id="i0",
        template_id="t0",
        access_token=token,
        env_vars={"B": "2", "A": "<1>"},
    )
    sandbox: Any = None
    target = Target(sandbox, Machine(guest, envd), 49983)
    app = envd_app()

    async def with_target(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, SCOPE_KEY: target}, receive, send)

    try:
        with running_app(with_target) as port:
            yield Daemon(root, port, envd, clock)
    finally:
        files.close()
