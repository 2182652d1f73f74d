"""`--e2b-live`: the same tests on the real service.

The environment is left alone: the SDK finds the service as it does in the user's programs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NoReturn

import pytest

from conftest_plugin.settings import options_of_marker

OPTION = "--e2b-live"
PARTS = ("clock", "faults", "gates", "journal", "commands")
"""What only the fake has; each has a fixture of its own, `e2b_<part>`."""
_HARMLESS = frozenset({"runtime", "seed", "leaks", "misuse", "strict_faults"})
"""What a marker may say of a test that the real service can pass as well."""
_DEFAULT_DOMAIN = "e2b.app"
_PREFIX = "E2B_"


def is_live(config: pytest.Config) -> bool:
    """Whether this run is on the real service."""
    return bool(config.getoption("e2b_live"))


def check_live(config: pytest.Config) -> None:
    """Refuse a live run that could reach nothing.

    Raises:
        pytest.UsageError: There is no key.
    """
    if is_live(config) and not os.environ.get("E2B_API_KEY"):
        raise pytest.UsageError(
            f"{OPTION} runs the tests on the real service and needs a key: set E2B_API_KEY "
            f"(and E2B_DOMAIN or E2B_API_URL for one of your own), or leave {OPTION} out"
        )


def skip_part(what: str) -> NoReturn:
    """Skip a test on the real service.

    Args:
        what: What it needs of the fake: ``"fake_e2b.faults"``.
    """
    pytest.skip(f"needs {what}, which only the fake has ({OPTION} is given)")


def skip_before_setup(item: pytest.Item) -> None:
    """Skip a test that says beforehand that it needs the fake: by its fixtures or its marker."""
    names: Sequence[str] = getattr(item, "fixturenames", ())
    for part in PARTS:
        if f"e2b_{part}" in names:
            skip_part(f"fake_e2b.{part}")
    if "fake_e2b" not in names:
        return
    for name, value in options_of_marker(item).items():
        if name not in _HARMLESS and (name, value) != ("clock", "real"):
            skip_part(f"@pytest.mark.fake_e2b({name}=…)")


class LiveE2B:
    """What the fixture `fake_e2b` gives on the real service.

    It knows how clients find the service; a test that asks for anything else is skipped there.
    """

    @property
    def api_key(self) -> str:
        """The user's key."""
        return os.environ["E2B_API_KEY"]

    @property
    def domain(self) -> str:
        """What stands behind ``<port>-<sandboxID>.`` in the host names of sandboxes."""
        return os.environ.get("E2B_DOMAIN") or _DEFAULT_DOMAIN

    @property
    def url(self) -> str:
        """Of the API."""
        return os.environ.get("E2B_API_URL") or f"https://api.{self.domain}"

    def env(self) -> dict[str, str]:
        """The variables by which clients find the service, as they are."""
        return {name: value for name, value in os.environ.items() if name.startswith(_PREFIX)}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        skip_part(f"fake_e2b.{name}")

    def __repr__(self) -> str:
        return f"<LiveE2B at {self.url}>"
