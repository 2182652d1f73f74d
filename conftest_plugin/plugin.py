"""Options, marker and hooks. Switched off with ``-p no:fake_e2b``, nothing here is imported.

| option | ini | meaning |
|---|---|---|
| `--fake-e2b-leaks` | `fake_e2b_leaks` | a sandbox left running is an `error`, `warn`, `ignore` |
| `--fake-e2b-runtime` | `fake_e2b_runtime` | what sandboxes run in: `auto`, `local`, `isolated` |
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from conftest_plugin.fixtures import (
    _e2b_sandbox_on_anyio,
    _e2b_sandbox_on_asyncio,
    e2b_async_sandbox,
    e2b_env,
    e2b_sandbox,
    e2b_sandbox_options,
    fake_e2b,
    fake_e2b_options,
    fake_e2b_server,
    make_fake_e2b,
)
from conftest_plugin.report import WATCHED
from conftest_plugin.settings import LEAKS, RUNTIMES, setting

__all__ = [
    "_e2b_sandbox_on_anyio",
    "_e2b_sandbox_on_asyncio",
    "e2b_async_sandbox",
    "e2b_env",
    "e2b_sandbox",
    "e2b_sandbox_options",
    "fake_e2b",
    "fake_e2b_options",
    "fake_e2b_server",
    "make_fake_e2b",
]

SECTION = "fake-e2b: last requests"
_MARKER = (
    "fake_e2b(**options): options of FakeE2B for this test alone, e.g. clock='manual' or seed=7; "
    "leaks='ignore' lets it leave sandboxes running"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, on the command line and in the ini file."""
    group = parser.getgroup("fake-e2b", "fake E2B")
    group.addoption(
        "--fake-e2b-leaks",
        choices=LEAKS,
        default=None,
        help="what a sandbox is that a test leaves running (default: warn)",
    )
    group.addoption(
        "--fake-e2b-runtime",
        choices=RUNTIMES,
        default=None,
        help="what sandboxes run in (default: auto, the best that this machine can do)",
    )
    parser.addini("fake_e2b_leaks", "what a sandbox left running is: error, warn or ignore", None)
    parser.addini("fake_e2b_runtime", "what sandboxes run in: auto, local or isolated", None)


def pytest_configure(config: pytest.Config) -> None:
    """Announce the marker and refuse wrong settings before the first test."""
    config.addinivalue_line("markers", _MARKER)
    setting(config, "leaks")
    setting(config, "runtime")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Show a failed test's last requests in its report."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    watched = item.stash.get(WATCHED, None)
    if report.failed and watched is not None:
        report.sections.append((SECTION, watched.shown()))
