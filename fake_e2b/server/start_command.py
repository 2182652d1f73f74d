"""The command that a template's sandboxes run from the start, and when they count as ready.

The service runs it once, when the template is built, and every sandbox starts from the memory it
left. Without memory to keep it runs in each sandbox, before `create` answers.

Fact: template.start
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable
from contextlib import suppress

from fake_e2b.backend.envd import SYSTEM_PATH, Envd
from fake_e2b.backend.spawning import Command, spawn_command
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.envd_errors import EnvdError
from fake_e2b.domain.ports import Guest, Process
from fake_e2b.domain.process import ProcessExit
from fake_e2b.domain.services import SERVICES
from fake_e2b.domain.setup import Start
from fake_e2b.domain.user import ROOT
from fake_e2b.server.process_reader import Reader
from fake_e2b.wire.envd_errors import rpc_failure
from fake_e2b.wire.process_events import status_of

_SHELL = "/bin/bash"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 2.0
_START_FAILED = "start command failed: error running start command"


class Starter:
    """Starts such commands; keeps reading what they say."""

    def __init__(self) -> None:
        self._reading: set[asyncio.Task[ProcessExit]] = set()

    async def run(self, envd: Envd, start: Start) -> None:
        """Start the command and wait until the sandbox is ready.

        Raises:
            ControlError: TEMPLATE_NOT_READY: it failed, or it took too long; the reason says
                which.
        """
        started = await self._start(envd, start) if start.command else None
        if start.ready_command:
            await self._wait_until_ready(envd, start, started)

    async def serve(self, guest: Guest, services: Iterable[str]) -> None:
        """Start these services, which no client sees among the processes.

        Raises:
            ControlError: TEMPLATE_NOT_READY: one does not start.
        """
        for name in services:
            command = Command(
                cmd=_SHELL,
                args=("-c", SERVICES[name].start),
                env={"PATH": SYSTEM_PATH},
                cwd="/",
                user=ROOT,
                pty=None,
                stdin=False,
            )
            try:
                reader = self._read(await spawn_command(guest, command))
            except EnvdError as error:
                raise _not_ready(f"the service {name} does not start: {_said(error)}") from error
            end = await asyncio.shield(reader.task)
            if end.code != 0:
                raise _not_ready(
                    f"the service {name} does not start: {status_of(end)}{reader.said}"
                )

    async def _start(self, envd: Envd, start: Start) -> Reader:
        command = _command(envd, start, start.command)
        config = {"cmd": command.cmd, "args": list(command.args), "cwd": command.cwd}
        try:
            started = await envd.processes.start(command, config=config, tag=None)
        except EnvdError as error:
            raise _not_ready(f"{_START_FAILED}: {_said(error)}") from error
        return self._read(started.process)

    def _read(self, process: Process) -> Reader:
        reader = Reader(process)
        self._reading.add(reader.task)
        reader.task.add_done_callback(self._reading.discard)
        return reader

    async def _wait_until_ready(self, envd: Envd, start: Start, started: Reader | None) -> None:
        loop = asyncio.get_running_loop()
        deadline, pause_s = loop.time() + start.ready_timeout_s, _FIRST_PAUSE_S
        while True:
            reader = self._read(await _spawn(envd, start))
            try:
                async with asyncio.timeout_at(deadline):
                    end = await asyncio.shield(reader.task)
            except TimeoutError:
                with suppress(ProcessLookupError):
                    reader.process.signal(signal.SIGKILL)
                end = ProcessExit(None, signal.SIGKILL)
            if end.code == 0:
                return
            if started is not None and started.task.done():
                ended = started.task.result()
                if ended.code == 0:
                    return
                raise _not_ready(f"{_START_FAILED}: {status_of(ended)}{started.said}")
            if loop.time() + pause_s >= deadline:
                raise _not_ready(
                    f"ready command failed: ready command timed out after "
                    f"{start.ready_timeout_s:g}s: {start.ready_command}: {status_of(end)}"
                    f"{reader.said}"
                )
            await asyncio.sleep(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 1.5)


async def _spawn(envd: Envd, start: Start) -> Process:
    try:
        return await spawn_command(envd.guest, _command(envd, start, start.ready_command))
    except EnvdError as error:
        raise _not_ready(f"ready command failed: {_said(error)}") from error


def _command(envd: Envd, start: Start, text: str) -> Command:
    user = envd.user(start.user)
    return Command(
        cmd=_SHELL,
        args=("-l", "-c", text),
        env=envd.environment(user, start.env_vars),
        cwd=start.workdir or user.home,
        user=user,
        pty=None,
        stdin=False,
    )


def _said(error: EnvdError) -> str:
    return rpc_failure(error).message


def _not_ready(reason: str) -> ControlError:
    return ControlError(ControlKind.TEMPLATE_NOT_READY, reason=reason)
