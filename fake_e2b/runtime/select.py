"""Which runtime a server gets."""

from __future__ import annotations

from fake_e2b.domain.errors import RuntimeUnavailableError, UsageError
from fake_e2b.domain.ports import Runtime
from fake_e2b.runtime.local import LocalRuntime


def choose_runtime(name: str, *, folder: str | None = None) -> Runtime:
    """The runtime of that name, not yet started.

    Args:
        name: ``"auto"``, ``"local"`` or ``"isolated"``.
        folder: Where it keeps its sandboxes; None takes the machine's temporary folder.

    Raises:
        RuntimeUnavailableError: ``"isolated"`` was asked for and this machine cannot run it.
        UsageError: There is no such runtime.
    """
    if name in ("auto", "local"):
        return LocalRuntime(folder)
    if name == "isolated":
        raise RuntimeUnavailableError("the isolated runtime is not part of this version yet")
    raise UsageError(f"no runtime is called {name!r}: use auto, local or isolated")
