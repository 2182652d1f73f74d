"""The worker: takes cells from the server and runs them, one at a time.

It is forked before anyone needs it and waits, warm, for the message that says where it belongs.
Cells run inside a running asyncio loop, so tasks live on between cells and top-level `await`
works. SIGINT is ignored except while a cell runs.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import random
import select
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from .bash import BashCells
from .join import enter_group, enter_namespaces, settle
from .linux import Linux
from .outbox import Outbox, Stream
from .shell import Shell, refuse_input

_LENGTH_BYTES = 4


def run_worker(shell: Shell, channel: socket.socket, linux: Linux) -> NoReturn:
    """Wait for a place, then for cells, until the server closes the channel."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not select.select([channel], [], [], 0)[0]:
        _touch(shell)
    try:
        place = _receive(channel)
        if place["group"] is not None:
            enter_group(place["group"])
        if place["namespaces_of"] is not None:
            enter_namespaces(place["namespaces_of"], linux)
        settle(
            cwd=place["cwd"],
            home_folder=place["home_folder"],
            environment=place["environment"],
            paths=place["paths"],
        )
    except EOFError:
        os._exit(0)
    except OSError as error:
        channel.sendall(json.dumps(["refused", str(error)]).encode() + b"\n")
        os._exit(1)
    if place["language"] == "bash":
        cells = BashCells(channel)
        channel.sendall(b'["ready"]\n')
        with contextlib.suppress(EOFError, OSError):
            cells.serve(lambda: _receive(channel))
        os._exit(0)
    outbox = Outbox(channel)
    sys.stdout, sys.stderr = Stream(outbox, "stdout"), Stream(outbox, "stderr")
    sys.argv = [""]
    refuse_input()
    sys.breakpointhook = lambda *_, **__: None  # nobody can type at a debugger
    _reseed()
    shell.post = outbox.post
    channel.sendall(b'["ready"]\n')
    asyncio.run(_Cells(shell, outbox).serve(channel))
    with contextlib.suppress(Exception):
        atexit._run_exitfuncs()
    os._exit(0)


def _touch(shell: Shell) -> None:
    """Copy the memory that every cell touches now, while nobody waits for it."""
    shell.run_cell("1 + 1", store_history=False, silent=True)
    shell.display_formatter.format(2)
    asyncio.run(asyncio.sleep(0))


def _receive(channel: socket.socket) -> Any:
    """One message, blocking; EOFError when the server has closed."""
    length = int.from_bytes(_receive_exactly(channel, _LENGTH_BYTES), "big")
    return json.loads(_receive_exactly(channel, length))


def _receive_exactly(channel: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = channel.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


def _reseed() -> None:
    """Give this kernel its own random numbers: the zygote's state came along with the fork."""
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


class _Cells:
    def __init__(self, shell: Shell, outbox: Outbox) -> None:
        self._shell = shell
        self._outbox = outbox
        self._number = 0

    async def serve(self, channel: socket.socket) -> None:
        """Obey the server until it closes the channel or a cell asks to leave."""
        reader, writer = await asyncio.open_unix_connection(sock=channel.dup())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while not self._shell.leaving:
                length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "big")
                message = json.loads(await reader.readexactly(length))
                refused = self._change_variables(message["variables"])
                if (code := message.get("code")) is not None:
                    await self._run(refused or code)
        writer.transport.abort()

    def _change_variables(self, changes: Mapping[str, str | None]) -> str | None:
        """Set and remove; `os` is then at hand without an import.

        Returns:
            The line of code that the system refuses, which then is all that the cell does.

        Facts: interpreter.variables.os-at-hand, interpreter.variables.refused
        """
        if changes:
            self._shell.user_ns.setdefault("os", os)
        for name, value in changes.items():
            if value is None:
                os.environ.pop(name, None)
                continue
            try:
                os.environ[name] = value
            except (OSError, ValueError):  # no name, an equals sign in it, or a zero byte
                return f"os.environ[{name!r}] = {value!r}"
        return None

    async def _run(self, code: str) -> None:
        shell = self._shell
        self._number += 1
        shell.failure = None
        self._outbox.begin(self._number, ["count", shell.execution_count])
        try:
            with _interruptible():
                result = await self._execute(code)
        except BaseException as error:
            # An interrupt between IPython's own steps: nobody else has told of it.
            if shell.failure is None:
                self._outbox.post(["error", type(error).__name__, str(error), []])
        else:
            # Problems that the shell only mentions on stderr, such as an unknown magic.
            problem = result.error_before_exec or result.error_in_exec
            if problem is not None and shell.failure is None:
                self._outbox.post(["error", type(problem).__name__, str(problem), []])
        self._outbox.end(self._number)

    async def _execute(self, code: str) -> Any:
        """Run a cell in IPython: on the loop when it awaits, directly otherwise."""
        shell = self._shell
        problem = None
        try:
            transformed = shell.transform_cell(code)
        except Exception:
            # Shown by the shell as the cell's error.
            transformed, problem = code, sys.exc_info()
        if not shell.should_run_async(
            code, transformed_cell=transformed, preprocessing_exc_tuple=problem
        ):
            return shell.run_cell(code, store_history=True)
        cell = asyncio.ensure_future(
            shell.run_cell_async(
                code,
                store_history=True,
                transformed_cell=transformed,
                preprocessing_exc_tuple=problem,
            )
        )
        result = None
        with _cancelled_by_interrupt(cell):
            try:
                result = await cell
            finally:
                shell.events.trigger("post_execute")
                shell.events.trigger("post_run_cell", result)
        return result


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def _cancelled_by_interrupt(cell: asyncio.Future[Any]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    before = signal.signal(
        signal.SIGINT, lambda *_: loop.call_soon_threadsafe(cell.cancel) and None
    )
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
