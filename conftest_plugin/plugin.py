"""Options, marker and hooks. Switched off with ``-p no:fake_e2b``, nothing here is imported.

docs/pytest.md has every option; `settings.OPTIONS` is the table.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from conftest_plugin.fixtures import (
    _e2b_sandbox_on_anyio,
    _e2b_sandbox_on_asyncio,
    e2b_async_sandbox,
    e2b_clock,
    e2b_commands,
    e2b_env,
    e2b_faults,
    e2b_gates,
    e2b_journal,
    e2b_sandbox,
    e2b_sandbox_options,
    fake_e2b,
    fake_e2b_options,
    fake_e2b_server,
    make_fake_e2b,
)
from conftest_plugin.live import OPTION as LIVE
from conftest_plugin.live import check_live, is_live, skip_before_setup
from conftest_plugin.page import write_page
from conftest_plugin.report import sections
from conftest_plugin.settings import OPTIONS, check_names, check_settings, setting
from conftest_plugin.watched import WATCHED

__all__ = [
    "_e2b_sandbox_on_anyio",
    "_e2b_sandbox_on_asyncio",
    "e2b_async_sandbox",
    "e2b_clock",
    "e2b_commands",
    "e2b_env",
    "e2b_faults",
    "e2b_gates",
    "e2b_journal",
    "e2b_sandbox",
    "e2b_sandbox_options",
    "fake_e2b",
    "fake_e2b_options",
    "fake_e2b_server",
    "make_fake_e2b",
]

_MARKER = (
    "fake_e2b(**options): options of FakeE2B for this test alone, e.g. clock='manual' or seed=7; "
    "strict_faults=True fails it where a fault rule never acted; leaks='ignore' lets it leave "
    "sandboxes running, misuse='error' lets it do nothing wrong"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, on the command line and in the ini file."""
    group = parser.getgroup("fake-e2b", "fake E2B")
    for option in OPTIONS.values():
        form: dict[str, Any] = {"action": "store_const", "const": True}
        if not option.flag:
            form = {"metavar": option.metavar}
        group.addoption(
            option.on_command_line, dest=option.key, default=None, help=option.help, **form
        )
        parser.addini(option.key, option.help, option.ini, default=None)
    group.addoption(
        LIVE,
        action="store_true",
        default=False,
        help="run the same tests on the real service, as E2B_API_KEY and E2B_DOMAIN say; those "
        "that need the fake are skipped",
    )


def pytest_load_initial_conftests(args: list[str]) -> None:
    """Refuse options that only look like the plugin's, with the nearest."""
    check_names(args)


def pytest_configure(config: pytest.Config) -> None:
    """Announce the marker and refuse wrong settings before the first test."""
    config.addinivalue_line("markers", _MARKER)
    check_settings(config)
    check_live(config)
    folder = setting(config, "report")
    if folder is not None:
        path = config.invocation_params.dir / folder
        if path.exists() and not path.is_dir():
            raise pytest.UsageError(f"{OPTIONS['report'].on_command_line}: {path} is no folder")
        # Workers of pytest-xdist get the options, and may have another working folder.
        config.option.fake_e2b_report = str(path)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what the real service cannot do, before any fixture asks it for something."""
    if is_live(item.config):
        skip_before_setup(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Let go what is held when a test's own code has ended; fail it for rules that never acted."""
    watched = item.stash.get(WATCHED, None)
    try:
        result = yield
    finally:
        if watched is not None:
            watched.release_gates()
    if watched is not None and (idle := watched.idle_faults()):
        names = ", ".join(map(repr, idle))
        pytest.fail(
            f"the test added fault rules that never acted: {names} (strict_faults)", pytrace=False
        )
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show a failed test's last requests in its report, and how to replay it."""
    report = yield
    watched = item.stash.get(WATCHED, None)
    if report.failed and watched is not None:
        snapshot = watched.snapshot()
        shown = list(sections(snapshot))
        watched.failures[report.when or "call"] = report.longreprtext
        folder = setting(item.config, "report")
        if folder is not None:
            output = dict(report.sections)
            try:
                page = write_page(Path(folder), item.nodeid, watched.failures, output, snapshot)
                said = f"page: {page}"
            except OSError as error:
                said = f"page: cannot be written, {error}"
            shown[-1] = (shown[-1][0], f"{shown[-1][1]}\n{said}")
        report.sections += shown
    return report
