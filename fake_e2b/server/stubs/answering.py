"""Giving one call the answer of its stub."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from contextlib import suppress

from fake_e2b.domain.stubs.rule import StubAnswer, check_exit_code
from fake_e2b.runtime.stubs.line import CallerGoneError, Line
from fake_e2b.server.stubs.running import RunningCall


def answer(answer: StubAnswer, call: RunningCall, line: Line) -> int:
    """Say what the stub says, or let its handler do so; blocking.

    Returns:
        The code to exit with.

    Raises:
        CallerGoneError: The program has ended.
        Exception: What the handler raises.
    """
    if answer.handler is not None:
        if answer.delay_s:
            call.sleep(answer.delay_s)
        try:
            result = answer.handler(call)
            if inspect.isawaitable(result):
                result = _awaited(result, line)
        except SystemExit as end:
            result = end.code
        return 0 if result is None else check_exit_code(result)
    if answer.delay_s:
        call.sleep(answer.delay_s)
    line.write(answer.stdout)
    line.write(answer.stderr, err=True)
    return answer.exit_code


def _awaited(result: Awaitable[object], line: Line) -> object:
    """Run it on a loop of its own, until the program ends.

    Raises:
        CallerGoneError: It has.
    """

    async def run() -> object:
        task = asyncio.ensure_future(result)
        loop = asyncio.get_running_loop()
        gone = False

        def look() -> None:
            nonlocal gone
            if line.is_gone():
                gone = True
                loop.remove_reader(line.fileno())
                task.cancel()

        loop.add_reader(line.fileno(), look)
        try:
            return await task
        except asyncio.CancelledError:
            if gone:
                raise CallerGoneError from None
            raise
        finally:
            with suppress(ValueError):
                loop.remove_reader(line.fileno())

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(run())
