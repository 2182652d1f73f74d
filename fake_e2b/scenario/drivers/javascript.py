"""The driver of the JavaScript SDK: a node program that is told each step as a line of JSON."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import subprocess
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from fake_e2b.domain.errors import UsageError
from fake_e2b.scenario.drivers.port import DriverError, Outcome, Raised
from fake_e2b.scenario.story import SdkName, Table

_PROGRAM = Path(__file__).with_name("javascript.mjs")
_START_TIMEOUT_S = 60
_END_TIMEOUT_S = 20
_ENDED = "the node program has ended"


class JavaScriptDriver:
    """One story's part of the program.

    Args:
        variables: By which the server is found; they come on top of the program's own.
    """

    sdk: SdkName = "js"

    def __init__(self, program: JavaScriptProgram, variables: Mapping[str, str]) -> None:
        self._program = program
        program.begin("begin", {"variables": dict(variables)}).result(_START_TIMEOUT_S)

    def begin(self, do: str, arguments: Table) -> Future[Outcome]:
        """Begin a step."""
        return self._program.begin(do, arguments)

    def close(self) -> None:
        """Nothing is left: the next story begins anew."""


class JavaScriptProgram:
    """A running node with the npm package `e2b` that is installed for a folder.

    Args:
        folder: Where node looks for the package from.

    Raises:
        UsageError: There is no node, or no such package.
    """

    def __init__(self, folder: Path) -> None:
        node = shutil.which("node")
        if node is None:
            raise UsageError("--sdk js needs node, and there is none on the PATH")
        self._ids = itertools.count(1)
        self._pending: dict[int, Future[Outcome]] = {}
        self._lock = threading.Lock()
        self._ended = False
        self._process = subprocess.Popen(
            [node, str(_PROGRAM)],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._ready: Future[None] = Future()
        self._reader = threading.Thread(target=self._read, name="scenario", daemon=True)
        self._reader.start()
        try:
            self._ready.result(_START_TIMEOUT_S)
        except (DriverError, TimeoutError) as error:
            self.close()
            reason = str(error) or f"node was not ready within {_START_TIMEOUT_S} s"
            raise UsageError(f"--sdk js: {reason}; run npm install e2b there") from error

    @property
    def has_ended(self) -> bool:
        """Whether it cannot be told anything any more."""
        return self._ended

    def begin(self, do: str, arguments: Table) -> Future[Outcome]:
        """Begin a step."""
        future: Future[Outcome] = Future()
        number = next(self._ids)
        line = json.dumps({"id": number, "do": do, "arguments": arguments})
        with self._lock:
            stdin = self._process.stdin
            # Its input may take lines for a moment after its output has ended: nobody reads them.
            if self._ended or stdin is None:
                future.set_exception(DriverError(_ENDED))
                return future
            self._pending[number] = future
            try:
                stdin.write(line + "\n")
                stdin.flush()
            except OSError:
                self._ended = True
                del self._pending[number]
                future.set_exception(DriverError(_ENDED))
        return future

    def close(self) -> None:
        """End the program."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            told: dict[str, Any] = json.loads(line)
            if "id" in told:
                with self._lock:
                    future = self._pending.pop(told["id"])
                _settle(future, told)
            elif "problem" in told:
                self._ready.set_exception(DriverError(told["problem"]))
            else:
                self._ready.set_result(None)
        with self._lock:
            self._ended = True
            pending, self._pending = self._pending, {}
        ended = DriverError(_ENDED)
        if not self._ready.done():
            self._ready.set_exception(ended)
        for future in pending.values():
            future.set_exception(ended)


def _settle(future: Future[Outcome], told: Mapping[str, Any]) -> None:
    if "problem" in told:
        future.set_exception(DriverError(told["problem"]))
    elif "raised" in told:
        raised = told["raised"]
        future.set_result(Outcome(raised=Raised(tuple(raised["classes"]), raised["text"])))
    else:
        future.set_result(Outcome(shown=told["shown"]))
