"""Which driver for which SDK."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

from fake_e2b.domain.errors import UsageError
from fake_e2b.scenario.drivers.javascript import JavaScriptDriver, JavaScriptProgram
from fake_e2b.scenario.drivers.port import Driver
from fake_e2b.scenario.story import SdkName

_PYTHON: Mapping[SdkName, str] = {"python": "PythonDriver", "python-async": "AsyncPythonDriver"}


class Drivers:
    """Makes the drivers of one SDK; a context manager, for a program may be behind them.

    Args:
        folder: Where node looks for the npm package from.
    """

    def __init__(self, sdk: SdkName, folder: Path) -> None:
        self._sdk: SdkName = sdk
        self._folder = folder
        self._program: JavaScriptProgram | None = None

    def make(self, variables: Mapping[str, str]) -> Driver:
        """A driver that reaches a server by these variables.

        Raises:
            UsageError: That SDK is not installed.
        """
        if self._sdk == "js":
            return JavaScriptDriver(self._running_program(), variables)
        # The SDK is its user's own: this package works without, and does not import it before.
        try:
            module = importlib.import_module("fake_e2b.scenario.drivers.python")
        except ImportError as error:
            raise UsageError(
                f"--sdk {self._sdk} needs the Python SDK: pip install e2b ({error})"
            ) from error
        driver: Driver = getattr(module, _PYTHON[self._sdk])(variables)
        return driver

    def _running_program(self) -> JavaScriptProgram:
        if self._program is not None and self._program.has_ended:
            self._program.close()
            self._program = None
        if self._program is None:
            self._program = JavaScriptProgram(self._folder)
        return self._program

    def __enter__(self) -> Drivers:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._program is not None:
            self._program.close()
            self._program = None
