"""envd as a client sees it, without the rest of the server around it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fake_e2b.backend.envd import Envd
from fake_e2b.backend.machine import Machine
from fake_e2b.data_plane.connect import ConnectService
from fake_e2b.data_plane.envd.gate import EnvdApp
from fake_e2b.data_plane.envd.process import ProcessService
from fake_e2b.data_plane.target import SCOPE_KEY, Target
from fake_e2b.domain.ids import IdSource, SandboxID, TeamID, TemplateID
from fake_e2b.domain.ports import Guest, Runtime
from fake_e2b.domain.sandbox import Sandbox
from fake_e2b.server.streams import OpenRequests
from fake_e2b.wire.proto_schema import envd_schema
from tests.helpers.clock import ManualClock
from tests.wire.serving import Answer, Client, Wire, serving

SANDBOX_ID = SandboxID("i" + "w" * 20)
START = "/process.Process/Start"
CONNECT = "/process.Process/Connect"


@dataclass
class Daemon:
    """A served daemon, and the calls that tests make most."""

    client: Client
    envd: Envd
    guest: Guest
    open_requests: OpenRequests

    def cut(self) -> None:
        """What the server does when the sandbox goes."""
        self.open_requests.cut(SANDBOX_ID)

    async def call(self, method: str, message: Any, **headers: str) -> Answer:
        return await self.client.unary(f"/process.Process/{method}", message, _dashed(headers))

    async def start(self, message: Any, **headers: str) -> Answer:
        return await self.client.stream(START, message, headers=_dashed(headers))

    async def shell(self, script: str, **headers: str) -> Answer:
        """Run a line of bash to its end."""
        return await self.start(bash(script), **headers)

    @asynccontextmanager
    async def started(self, message: Any, **headers: str) -> AsyncIterator[tuple[int, Wire]]:
        """A running process: its pid, and its stream after the start event."""
        async with self.client.open_stream(START, message, _dashed(headers)) as wire:
            first = await wire.read_message()
            yield first["event"]["start"]["pid"], wire

    async def listed(self) -> list[dict[str, Any]]:
        return (await self.call("List", {})).json.get("processes", [])


def bash(script: str, **more: Any) -> dict[str, Any]:
    """A Start request for a line of bash."""
    return {"process": {"cmd": "/bin/bash", "args": ["-c", script]}, "stdin": False, **more}


def _dashed(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def output(answer: Answer, channel: str = "stdout") -> str:
    """All that a finished stream brought on one channel."""
    return text_of(answer.events, channel)


def text_of(events: list[dict[str, Any]], channel: str) -> str:
    data = [event["event"].get("data", {}).get(channel, "") for event in events]
    return b"".join(base64.b64decode(each) for each in data).decode()


def end_of(answer: Answer) -> dict[str, Any]:
    """The end event of a finished stream."""
    end: dict[str, Any] = answer.events[-1]["event"]["end"]
    return end


@asynccontextmanager
async def running_daemon(
    runtime: Runtime, clock: ManualClock, *, access_token: str | None = None
) -> AsyncIterator[Daemon]:
    """A daemon with the Process service on a fresh guest."""
    guest = await runtime.create(SANDBOX_ID)
    envd = Envd(
        guest,
        clock,
        IdSource(7),
        sandbox_id=SANDBOX_ID,
        template_id="base",
        access_token=access_token,
        env_vars={"FROM_CREATE": "1"},
    )
    target = Target(_sandbox(), Machine(guest, envd), 49983)
    open_requests = OpenRequests()

    async def health(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    app = EnvdApp(
        ConnectService(envd_schema(), ProcessService().handlers()),
        {"/health": {"GET": health}, "/files": {"GET": health, "POST": health}},
    )

    async def dispatch(scope: Any, receive: Any, send: Any) -> None:
        scope[SCOPE_KEY] = target
        await open_requests.run(SANDBOX_ID, app, scope, receive, send)

    async with serving(dispatch) as port:
        try:
            yield Daemon(Client(port), envd, guest, open_requests)
        finally:
            await envd.close()
            await guest.kill()


def _sandbox() -> Sandbox:
    return Sandbox(
        sandbox_id=SANDBOX_ID,
        template_id=TemplateID("base"),
        team_id=TeamID("team"),
        alias="base",
        started_at_ns=0,
        end_at_ns=0,
        created_timeout_s=300,
        cpu_count=2,
        memory_mb=512,
        disk_size_mb=512,
        envd_version="0.6.13",
        envd_access_token=None,
        traffic_access_token=None,
        metadata=None,
        env_vars={},
    )
