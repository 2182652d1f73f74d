"""Environment variables that are set for a block and put back exactly."""

from __future__ import annotations

import os
from collections.abc import Mapping


class Environment:
    """Sets variables of this process and puts back what was there, absence included.

    Blocks may overlap: each puts back what it found.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = dict(variables)
        self._before: dict[str, str | None] | None = None

    def set(self) -> None:
        """Set the variables; twice is fine."""
        if self._before is None:
            self._before = {name: os.environ.get(name) for name in self._variables}
            os.environ.update(self._variables)

    def restore(self) -> None:
        """Put everything back; twice is fine."""
        before, self._before = self._before, None
        for name, value in (before or {}).items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_NEVER_PROXIED = ("127.0.0.1", "::1", "localhost", ".localhost")


def bypass_proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """What to add so that clients reach the fake directly; nothing where no proxy is set."""
    if not any(environ.get(name) or environ.get(name.upper()) for name in _PROXIES):
        return {}
    present = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    names = [name.strip() for name in present.split(",") if name.strip()]
    joined = ",".join(names + [name for name in _NEVER_PROXIED if name not in names])
    return {"no_proxy": joined, "NO_PROXY": joined}
