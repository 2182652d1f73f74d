"""Which tests of a run failed and which passed, in files: `-p tests.helpers.outcomes`.

What no second run can excuse, a worker that crashed or a file that cannot be collected, leaves no
list of failed tests.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--outcomes", type=Path, help="folder for the lists: failed, passed")


def pytest_configure(config: pytest.Config) -> None:
    folder = config.getoption("--outcomes")
    if folder and not hasattr(config, "workerinput"):  # the workers' reports come to the controller
        config.pluginmanager.register(_Outcomes(folder))


class _Outcomes:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._failed: set[str] = set()
        self._passed: set[str] = set()
        self._excusable = True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.add(report.nodeid)
            self._excusable &= report.when in ("setup", "call", "teardown")  # of a crash it is not
        elif report.passed and report.when == "call":
            self._passed.add(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._excusable &= not report.failed

    def pytest_internalerror(self) -> None:
        self._excusable = False

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        lists = {"passed": self._passed - self._failed}
        if self._excusable:
            lists["failed"] = self._failed
        with contextlib.suppress(OSError):  # without lists there is no second chance
            for name, tests in lists.items():
                text = "".join(f"{test}\n" for test in sorted(tests))
                (self._folder / name).write_text(text, encoding="utf-8")
