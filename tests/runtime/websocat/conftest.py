"""The program under test, as a sandbox runs it, and real peers for it."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

import fake_e2b.runtime.websocat as stand_in

FOLDER = str(Path(stand_in.__file__).parent)
PROGRAM = (sys.executable, "-W", "error", "-I", "-S", "-B", FOLDER)
DEADLINE_S = 30

Started = Callable[..., AbstractAsyncContextManager[asyncio.subprocess.Process]]


@asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The program, running; ended by its PID at the end."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, *arguments, stdin=pipe, stdout=pipe, stderr=pipe, limit=1 << 20
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def serving(*arguments: str) -> AsyncIterator[int]:
    """The program, listening; gives the port."""
    async with started("--stdout-announce-listening-ports", *arguments) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        async with asyncio.timeout(DEADLINE_S):
            line = await process.stdout.readline()
            if not line:
                pytest.fail((await process.stderr.read()).decode())
        found = re.search(rb"port=(\d+)", line)
        assert found, line
        yield int(found[1])


async def ended(
    process: asyncio.subprocess.Process, data: bytes | None = None
) -> tuple[int, bytes, str]:
    """Wait for its end: status, what it printed, what it complained about."""
    async with asyncio.timeout(DEADLINE_S):
        out, err = await process.communicate(data)
    assert process.returncode is not None
    return process.returncode, out, err.decode()
