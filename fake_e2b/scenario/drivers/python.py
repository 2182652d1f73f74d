"""The drivers of the Python SDK, which must be installed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from fake_e2b.scenario.drivers.port import Outcome
from fake_e2b.scenario.drivers.python_steps import PythonSteps
from fake_e2b.scenario.drivers.watching import AsyncWatch, SyncWatch
from fake_e2b.scenario.story import SdkName, Table

_AT_ONCE = 32
_SDK = "e2b_code_interpreter" if find_spec("e2b_code_interpreter") else "e2b"
"""The code interpreter's package adds to the sandbox of the other, and changes nothing of it."""


class PythonDriver:
    """`e2b.Sandbox`; each step runs in a thread, for its calls block."""

    sdk: SdkName = "python"

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._steps = PythonSteps(import_module(_SDK).Sandbox, SyncWatch, variables)
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="scenario")

    def begin(self, do: str, arguments: Table) -> Future[Outcome]:
        """Begin a step."""
        return self._threads.submit(lambda: _run(self._steps.perform(do, arguments)))

    def close(self) -> None:
        """Wait for what runs."""
        self._threads.shutdown()


class AsyncPythonDriver:
    """`e2b.AsyncSandbox`, in an event loop of its own."""

    sdk: SdkName = "python-async"

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._steps = PythonSteps(import_module(_SDK).AsyncSandbox, AsyncWatch, variables)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="scenario", daemon=True)
        self._thread.start()

    def begin(self, do: str, arguments: Table) -> Future[Outcome]:
        """Begin a step."""
        return asyncio.run_coroutine_threadsafe(self._steps.perform(do, arguments), self._loop)

    def close(self) -> None:
        """End what runs, and the loop."""
        asyncio.run_coroutine_threadsafe(_end_others(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _run(steps: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Run a coroutine that has nothing to wait for."""
    try:
        steps.send(None)
    except StopIteration as ended:
        outcome: Outcome = ended.value
        return outcome
    raise AssertionError("a call of the plain SDK wanted to be awaited")


async def _end_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
