"""Environment variables that are set for a block and put back exactly."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping

from fake_e2b.testing.programs import program_variables


class Environment:
    """Sets variables of this process and puts back what was there, absence included.

    Blocks may overlap and end in any order: a variable shows the latest block that is still open,
    and after the last one what was there before the first.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = dict(variables)
        self._before: dict[str, str | None] | None = None

    def set(self) -> None:
        """Set the variables; twice is fine."""
        with _LOCK:
            if self._before is None:
                self._before = {name: os.environ.get(name) for name in self._variables}
                os.environ.update(self._variables)
                _OPEN.append(self)

    def restore(self) -> None:
        """Put everything back; twice is fine."""
        with _LOCK:
            before, self._before = self._before, None
            if before is None:
                return
            at = _OPEN.index(self)
            del _OPEN[at]
            for name, value in before.items():
                for later in _OPEN[at:]:
                    if later._before is not None and name in later._before:
                        # Covered: the later block puts back what this one found.
                        later._before[name] = value
                        break
                else:
                    _put(name, value)


# The variables are the process's, and so is the order in which blocks have set them.
_OPEN: list[Environment] = []
_LOCK = threading.Lock()


def _put(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def completed(variables: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """What a program needs that is started with `environ`: a fake's own variables and these.

    `E2B_DEBUG` is the last, so that whoever reads lines knows when all are there.
    """
    own = {name: value for name, value in variables.items() if name != "E2B_DEBUG"}
    last = {name: value for name, value in variables.items() if name == "E2B_DEBUG"}
    return {**own, **program_variables(environ), **bypass_proxies(environ), **last}


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
