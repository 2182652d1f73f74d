"""Reads the plugin's settings: marker before command line before ini file."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import pytest

LEAKS = ("error", "warn", "ignore")
RUNTIMES = ("auto", "local", "isolated")
_VALUES = {"leaks": LEAKS, "runtime": RUNTIMES}
_DEFAULTS = {"leaks": "warn", "runtime": "auto"}


def setting(config: pytest.Config, name: str) -> str:
    """What holds for the run.

    Args:
        name: ``"leaks"`` or ``"runtime"``.

    Raises:
        pytest.UsageError: The ini file has a value that does not exist.
    """
    chosen = config.getoption(f"fake_e2b_{name}") or config.getini(f"fake_e2b_{name}")
    return _checked(f"fake_e2b_{name} in the ini file", name, str(chosen or _DEFAULTS[name]))


def options_of_marker(node: pytest.Item) -> dict[str, Any]:
    """What ``@pytest.mark.fake_e2b(…)`` says about one test, the nearest marker first.

    Raises:
        pytest.UsageError: It names an option that does not exist.
    """
    from fake_e2b.testing import FakeE2B  # only where a test asks: keeps start-up and coverage

    known = {*inspect.signature(FakeE2B).parameters, "leaks"} - {"set_environment"}
    options: dict[str, Any] = {}
    for marker in reversed(list(node.iter_markers("fake_e2b"))):
        if marker.args or not set(marker.kwargs) <= known:
            wrong = [repr(value) for value in marker.args]
            wrong += [name for name in marker.kwargs if name not in known]
            raise pytest.UsageError(
                f"{node.nodeid}: @pytest.mark.fake_e2b does not know {', '.join(wrong)}; "
                f"it takes {', '.join(f'{name}=…' for name in sorted(known))}"
            )
        options.update(marker.kwargs)
    if "leaks" in options:
        _checked(f"{node.nodeid}: leaks", "leaks", options["leaks"])
    return options


def leaks_policy(config: pytest.Config, marked: Mapping[str, Any]) -> str:
    """``"error"``, ``"warn"`` or ``"ignore"`` for one test."""
    return str(marked["leaks"]) if "leaks" in marked else setting(config, "leaks")


def _checked(where: str, name: str, value: str) -> str:
    if value not in _VALUES[name]:
        raise pytest.UsageError(f"{where} is '{value}'; use one of {', '.join(_VALUES[name])}")
    return value
