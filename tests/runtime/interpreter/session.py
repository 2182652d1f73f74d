"""Runs cells on real kernels, through contexts and lines, without a server."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, cast

from fake_e2b.backend.executions import Execution
from fake_e2b.backend.interpreter import Interpreter
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.ports import Guest, Joining
from fake_e2b.runtime.interpreter.host import KernelHost
from fake_e2b.wire import interpreter as wire
from tests.helpers.clock import ManualClock

DEADLINE_S = 30.0
INSTANT_NS = 1_763_850_340_802_925_000

Line = dict[str, Any]


class Folder:
    """The part of a `local` guest that kernels need."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("home/user", "root", "tmp"):
            (root / name).mkdir(parents=True)

    def joining(self) -> Joining:
        return Joining(namespaces_of=None, path_prefix=str(self.root))


class Daemon:
    """The part of envd that the interpreter asks."""

    def __init__(self) -> None:
        self.access_token: str | None = None
        self.env_vars: Mapping[str, str] = {}


class Session:
    """One sandbox's interpreter."""

    def __init__(self, host: KernelHost, root: Path) -> None:
        self.folder = Folder(root)
        self.home = root / "home/user"
        self.daemon = Daemon()
        self.clock = ManualClock(INSTANT_NS)
        self.interpreter = Interpreter(
            cast(Guest, self.folder), self.daemon, host, self.clock, IdSource(1), asyncio.Event
        )

    def start(
        self,
        code: str,
        *,
        context: str | None = None,
        language: str | None = None,
        env: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> Execution:
        return self.interpreter.execute(
            code,
            context_id=context,
            language=language,
            variables=env or {},
            access_token=token,
        )

    async def run(self, code: str, **options: Any) -> list[Line]:
        """All lines of a run but the end of it."""
        execution = self.start(code, **options)
        async with asyncio.timeout(DEADLINE_S):
            await execution.begin()
            lines = [line async for line in lines_of(execution)]
        execution.leave()
        return lines

    async def outputs(self, code: str, **options: Any) -> list[Line]:
        """The same without the count."""
        return [
            line
            for line in await self.run(code, **options)
            if line["type"] != "number_of_executions"
        ]

    async def text(self, code: str, **options: Any) -> str | None:
        """The text of the cell's own value."""
        for line in await self.run(code, **options):
            assert line["type"] != "error", line
            if line["type"] == "result" and line["is_main_result"]:
                return cast(str, line["text"])
        return None

    async def error(self, code: str, **options: Any) -> Line:
        """The one error of the cell."""
        [error] = [line for line in await self.run(code, **options) if line["type"] == "error"]
        return error


async def lines_of(execution: Execution) -> AsyncIterator[Line]:
    while (batch := await execution.read()) is not None:
        for message in batch.messages:
            yield json.loads(wire.line(message, batch.at_ns))


async def next_line(execution: Execution, wanted: Callable[[Line], bool]) -> Line:
    """Read on to the first line that `wanted` accepts."""
    async with asyncio.timeout(DEADLINE_S):
        async with contextlib.aclosing(lines_of(execution)) as lines:
            async for line in lines:
                if wanted(line):
                    return line
    raise AssertionError("the run ended before")
