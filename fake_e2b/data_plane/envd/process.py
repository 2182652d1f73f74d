"""The Process service: what its messages ask of the process table, and how it answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import partial

from fake_e2b.backend.processes import (
    Ended,
    ProcessTable,
    Selector,
    Started,
    close_stdin,
    resize,
    send_signal,
    write_pty,
    write_stdin,
)
from fake_e2b.backend.spawning import Command
from fake_e2b.data_plane.connect import Call, Handler
from fake_e2b.data_plane.envd.access import caller_of, envd_of
from fake_e2b.domain.envd_errors import EnvdError, EnvdKind
from fake_e2b.domain.process import ProcessExit, PtySize
from fake_e2b.wire.connect import Code, ConnectFailure
from fake_e2b.wire.process_events import (
    KEEPALIVE_EVENT,
    end_event,
    process_event,
    start_event,
)
from fake_e2b.wire.protobuf import Message

_SIGKILL = 9


class ProcessService:
    """The handlers, and the tasks that outlive a request: who waits for left processes."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Task[None]] = set()

    def handlers(self) -> Mapping[str, Handler]:
        """By path."""
        return {
            "/process.Process/List": self.list,
            "/process.Process/Start": self.start,
            "/process.Process/Connect": self.connect,
            "/process.Process/Update": self.update,
            "/process.Process/SendInput": self.send_input,
            "/process.Process/StreamInput": self.stream_input,
            "/process.Process/CloseStdin": self.close_stdin,
            "/process.Process/SendSignal": self.send_signal,
        }

    async def list(self, request: Message, call: Call) -> Message:
        """Processes that have not ended, as they were asked for."""
        return {
            "processes": [
                {"config": started.config, "pid": started.pid, "tag": started.tag}
                for started in envd_of(call.scope).processes.running()
            ]
        }

    async def start(self, request: Message, call: Call) -> AsyncIterator[Message]:
        """Start a process and stream what it brings forth.

        It outlives the stream, but not the call's deadline: that kills it, whoever still
        listens. Facts: envd.process.start.*, envd.process.deadline.*
        """
        call.send_keepalives(KEEPALIVE_EVENT)
        table = envd_of(call.scope).processes
        starting = asyncio.ensure_future(
            table.start(
                _command(request, call), config=request.get("process"), tag=request.get("tag")
            )
        )
        try:
            # A process that was half started must not get lost when the client leaves now.
            started = await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(partial(self._adopt, table, call.deadline))
            raise
        killer = _kill_at(started, call.deadline)
        try:
            with started.process.subscribe() as output:
                yield start_event(started.pid)
                async for item in output:
                    if type(item) is ProcessExit:
                        _check_alive(call)
                        table.note_end(started)
                    yield process_event(item)
        finally:
            self._leave(table, started, killer)

    async def connect(self, request: Message, call: Call) -> AsyncIterator[Message]:
        """Stream what a running process brings forth from now on, or how it ended.

        Facts: envd.process.connect.*
        """
        call.send_keepalives(KEEPALIVE_EVENT)
        table = envd_of(call.scope).processes
        found = table.find_or_recall(_selector(request))
        if isinstance(found, Ended):
            yield start_event(found.pid)
            yield end_event(found.exit)
            return
        with found.process.subscribe() as output:
            yield start_event(found.pid)
            async for item in output:
                if type(item) is ProcessExit:
                    _check_alive(call)
                yield process_event(item)

    async def update(self, request: Message, call: Call) -> Message:
        """Resize a terminal."""
        started = _find(request, call)
        if "pty" in request:
            resize(started, _pty_size(request["pty"]) if "size" in request["pty"] else None)
        return {}

    async def send_input(self, request: Message, call: Call) -> Message:
        """Write to stdin or to a terminal."""
        await _write(_find(request, call), request.get("input", {}))
        return {}

    async def stream_input(self, requests: AsyncIterator[Message], call: Call) -> Message:
        """Write as messages arrive. Facts: envd.process.stream-input.*"""
        started: Started | None = None
        while (request := await _next_input(requests)) is not None:
            if "start" in request:
                started = _find(request["start"], call)
            elif "data" in request:
                if started is None:
                    raise EnvdError(EnvdKind.STREAM_NOT_STARTED)
                await _write(started, request["data"].get("input", {}))
            elif "keepalive" not in request:
                raise EnvdError(EnvdKind.STREAM_EVENT_EMPTY)
        return {}

    async def close_stdin(self, request: Message, call: Call) -> Message:
        """End a process's input."""
        close_stdin(_find(request, call))
        return {}

    async def send_signal(self, request: Message, call: Call) -> Message:
        """Kill or terminate a process."""
        send_signal(_find(request, call), request.get("signal", 0))
        return {}

    def _leave(
        self, table: ProcessTable, started: Started, killer: asyncio.TimerHandle | None
    ) -> None:
        """The first stream of a process is over; when the process is not, wait for its end."""
        if started.process.exit is not None:
            table.note_end(started)
            if killer is not None:
                killer.cancel()
            return
        task = asyncio.get_running_loop().create_task(_wait_for_end(table, started, killer))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    def _adopt(
        self, table: ProcessTable, deadline: float | None, starting: asyncio.Future[Started]
    ) -> None:
        """A process was started after its client had left."""
        if not starting.cancelled() and starting.exception() is None:
            started = starting.result()
            self._leave(table, started, _kill_at(started, deadline))


async def _wait_for_end(
    table: ProcessTable, started: Started, killer: asyncio.TimerHandle | None
) -> None:
    # Nothing is read from a process that was never subscribed to; its output is to be discarded.
    with started.process.subscribe():
        pass
    await started.process.wait()
    table.note_end(started)
    if killer is not None:
        killer.cancel()


def _check_alive(call: Call) -> None:
    """Break the stream of a process that did not end itself but went with its sandbox.

    Raises:
        CancelledError: The sandbox is gone. To the client it must not look like an exit.
    """
    if not envd_of(call.scope).guest.alive:
        raise asyncio.CancelledError


def _kill_at(started: Started, deadline: float | None) -> asyncio.TimerHandle | None:
    if deadline is None:
        return None
    return asyncio.get_running_loop().call_at(deadline, _kill, started)


def _kill(started: Started) -> None:
    if started.process.exit is None:
        try:
            started.process.signal(_SIGKILL)
        except ProcessLookupError:
            return  # It died in this very moment.


def _command(request: Message, call: Call) -> Command:
    envd = envd_of(call.scope)
    user = caller_of(call.scope)
    config = request.get("process", {})
    return Command(
        cmd=config.get("cmd", ""),
        args=tuple(config.get("args", ())),
        env=envd.environment(user, config.get("envs", {})),
        cwd=envd.resolve_path(config.get("cwd", ""), user),
        user=user,
        pty=_pty_size(request["pty"]) if "pty" in request else None,
        stdin=request.get("stdin", True),
    )


def _pty_size(pty: Message) -> PtySize:
    size = pty.get("size", {})
    # The kernel's structure holds 16 bits each. Fact: envd.process.pty.size
    return PtySize(cols=size.get("cols", 0) & 0xFFFF, rows=size.get("rows", 0) & 0xFFFF)


def _selector(request: Message) -> Selector:
    process = request.get("process", {})
    return Selector(pid=process.get("pid"), tag=process.get("tag"))


def _find(request: Message, call: Call) -> Started:
    return envd_of(call.scope).processes.find(_selector(request))


async def _write(started: Started, process_input: Message) -> None:
    if "stdin" in process_input:
        await write_stdin(started, process_input["stdin"])
    elif "pty" in process_input:
        await write_pty(started, process_input["pty"])
    else:
        raise EnvdError(EnvdKind.INPUT_EMPTY)


async def _next_input(requests: AsyncIterator[Message]) -> Message | None:
    try:
        return await anext(requests, None)
    except ConnectFailure as failure:
        raise ConnectFailure(Code.UNKNOWN, f"error streaming input: {failure}") from failure
